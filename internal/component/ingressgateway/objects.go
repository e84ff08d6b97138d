package ingressgateway

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/component"
	"github.com/openservicemesh/osm-operator/internal/names"
	"github.com/openservicemesh/osm-operator/internal/operand"
)

var selector = map[string]string{names.AppLabel: names.IngressGateway}

func meta(mesh *v1alpha1.Mesh) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: component.Namespace(mesh), Name: names.IngressGateway}
}

// serviceAccount is the identity of the gateway in the mesh.
func serviceAccount(mesh *v1alpha1.Mesh) *corev1.ServiceAccount {
	return &corev1.ServiceAccount{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "ServiceAccount"}, ObjectMeta: meta(mesh)}
}

// service has the ports that listeners may use. The control plane reads them. Without an external address, traffic policy Local does not
// exist; with one, it keeps the addresses of clients.
func service(mesh *v1alpha1.Mesh) *corev1.Service {
	out := &corev1.Service{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Service"}, ObjectMeta: meta(mesh),
		Spec: corev1.ServiceSpec{Selector: selector, Type: serviceType(mesh)},
	}
	if out.Spec.Type != corev1.ServiceTypeClusterIP {
		out.Spec.ExternalTrafficPolicy = corev1.ServiceExternalTrafficPolicyLocal
	}
	for _, port := range ports(mesh) {
		out.Spec.Ports = append(out.Spec.Ports, corev1.ServicePort{
			Name: fmt.Sprintf("port-%d", port), Port: port, TargetPort: intstr.FromInt32(podPort(port)), Protocol: corev1.ProtocolTCP,
		})
	}
	return out
}

func disruptionBudget(mesh *v1alpha1.Mesh) *policyv1.PodDisruptionBudget {
	return &policyv1.PodDisruptionBudget{
		TypeMeta: metav1.TypeMeta{APIVersion: "policy/v1", Kind: "PodDisruptionBudget"}, ObjectMeta: meta(mesh),
		Spec: policyv1.PodDisruptionBudgetSpec{MaxUnavailable: ptr.To(intstr.FromInt32(1)), Selector: &metav1.LabelSelector{MatchLabels: selector}},
	}
}

// gatewayClass has the name of the mesh.
func gatewayClass(inputs component.Inputs) *unstructured.Unstructured {
	class := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": gatewayGroup + "/v1", "kind": "GatewayClass",
		"spec": map[string]any{"controllerName": names.GatewayController(inputs.Mesh.Name), "description": "The ingress gateway of the mesh " + inputs.Mesh.Name},
	}}
	class.SetName(inputs.Mesh.Name)
	class.SetLabels(operand.Labels(inputs.Mesh.Name, inputs.ControlPlanes[0].Release.Version))
	return class
}
