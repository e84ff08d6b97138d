package ingressgateway

import (
	"fmt"
	"maps"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/component"
	"github.com/openservicemesh/osm-operator/internal/operator/component/gatewaypods"
	"github.com/openservicemesh/osm-operator/internal/operator/operand"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// service has the ports that listeners may use. The control plane reads them.
func service(mesh *v1alpha1.Mesh) *corev1.Service {
	return serviceOf(mesh, podSettings(mesh), ports(mesh))
}

// serviceOf is the Service of pods with the settings of the Mesh.
func serviceOf(mesh *v1alpha1.Mesh, pods gatewaypods.Settings, ports []int32) *corev1.Service {
	declared := ptr.Deref(settings(mesh).Service, v1alpha1.GatewayServiceSpec{})
	out := component.Service(mesh, pods.Name, pods.Selector())
	out.Labels, out.Annotations = ownLabels(mesh, declared.Labels.Map()), declared.Annotations
	out.Spec.Type = ptr.Deref(declared.Type, corev1.ServiceTypeLoadBalancer)
	out.Spec.LoadBalancerClass, out.Spec.LoadBalancerSourceRanges = declared.LoadBalancerClass, declared.LoadBalancerSourceRanges
	// Without an external address, there is no traffic policy. With one, Local keeps the addresses of clients.
	if out.Spec.Type != corev1.ServiceTypeClusterIP {
		out.Spec.ExternalTrafficPolicy = ptr.Deref(declared.ExternalTrafficPolicy, corev1.ServiceExternalTrafficPolicyLocal)
	}
	for _, port := range ports {
		out.Spec.Ports = append(out.Spec.Ports, corev1.ServicePort{
			Name: fmt.Sprintf("port-%d", port), Port: port, TargetPort: podPort(port), Protocol: corev1.ProtocolTCP, NodePort: nodePort(declared, port),
		})
	}
	return out
}

// podPort is the port of the pods for a port of the Service.
func podPort(port int32) intstr.IntOrString {
	return intstr.FromInt32(int32(names.GatewayPodPort(uint16(port)))) //nolint:gosec // the schema limits it
}

// ownLabels are the declared labels except those that the operator sets itself.
func ownLabels(mesh *v1alpha1.Mesh, declared map[string]string) map[string]string {
	own := maps.Clone(declared)
	for key := range operand.Labels(mesh.Name, "any") {
		delete(own, key)
	}
	return own
}

// nodePort is the declared port of nodes for a port; 0 lets Kubernetes choose.
func nodePort(declared v1alpha1.GatewayServiceSpec, port int32) int32 {
	for _, chosen := range declared.NodePorts {
		if chosen.Port == port {
			return chosen.NodePort
		}
	}
	return 0
}
