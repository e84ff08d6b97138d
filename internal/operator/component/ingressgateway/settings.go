package ingressgateway

import (
	"cmp"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
)

// DefaultPorts are the default of spec.ingressGateway.ports.
func DefaultPorts() []int32 { return []int32{80, 443} }

// Mode returns the mode, with its default.
func Mode(mesh *v1alpha1.Mesh) v1alpha1.IngressGatewayMode {
	return ptr.Deref(settings(mesh).Mode, v1alpha1.IngressGatewayDisabled)
}

func settings(mesh *v1alpha1.Mesh) v1alpha1.IngressGatewaySpec {
	return ptr.Deref(mesh.Spec.IngressGateway, v1alpha1.IngressGatewaySpec{})
}

func serviceType(mesh *v1alpha1.Mesh) corev1.ServiceType {
	return cmp.Or(ptr.Deref(settings(mesh).ServiceType, ""), corev1.ServiceTypeLoadBalancer)
}

// ports are sorted.
func ports(mesh *v1alpha1.Mesh) []int32 {
	list := settings(mesh).Ports
	if len(list) == 0 {
		list = DefaultPorts()
	}
	return slices.Sorted(slices.Values(list))
}

// podPort returns the port of the pods for a port of the Service. Envoy has no privileges, so it cannot use ports below 1024.
func podPort(port int32) int32 {
	const privileged, offset = 1024, 10000
	if port < privileged {
		return port + offset
	}
	return port
}
