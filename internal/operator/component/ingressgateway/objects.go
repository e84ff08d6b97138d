package ingressgateway

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/component"
	"github.com/openservicemesh/osm-operator/internal/operator/component/gatewaypods"
	"github.com/openservicemesh/osm-operator/internal/operator/operand"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

func podSettings(mesh *v1alpha1.Mesh) gatewaypods.Settings {
	declared := settings(mesh)
	return gatewaypods.Settings{
		Name: names.IngressGateway, Replicas: declared.Replicas, Scheduling: declared.GatewaySchedulingSpec, Resources: declared.Resources,
	}
}

// service has the ports that listeners may use. The control plane reads them. Without an external address, traffic policy Local does not
// exist; with one, it keeps the addresses of clients.
func service(mesh *v1alpha1.Mesh) *corev1.Service {
	pods := podSettings(mesh)
	out := &corev1.Service{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Service"}, ObjectMeta: pods.Meta(mesh),
		Spec: corev1.ServiceSpec{Selector: pods.Selector(), Type: serviceType(mesh)},
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
