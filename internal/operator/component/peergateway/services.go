package peergateway

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/component"
	"github.com/openservicemesh/osm-operator/internal/operator/component/gatewaypods"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// arriving is the Service that peers connect to.
func arriving(mesh *v1alpha1.Mesh, pods gatewaypods.Settings) *corev1.Service {
	declared := ptr.Deref(settings(mesh).Service, v1alpha1.PeerGatewayServiceSpec{})
	out := component.Service(mesh, pods.Name, pods.Selector(), corev1.ServicePort{
		Name: "peers", Port: names.PeerGatewayPort, TargetPort: intstr.FromInt32(names.PeerGatewayPort), Protocol: corev1.ProtocolTCP,
		NodePort: ptr.Deref(declared.NodePort, 0),
	})
	out.Labels, out.Annotations = component.UserLabels(mesh, declared.Labels.Map()), declared.Annotations
	out.Spec.Type = ptr.Deref(declared.Type, corev1.ServiceTypeClusterIP)
	out.Spec.LoadBalancerClass, out.Spec.LoadBalancerSourceRanges = declared.LoadBalancerClass, sourceRanges(declared)
	if out.Spec.Type != corev1.ServiceTypeClusterIP {
		out.Spec.ExternalTrafficPolicy = ptr.Deref(declared.ExternalTrafficPolicy, corev1.ServiceExternalTrafficPolicyLocal)
	}
	return out
}

// sourceRanges are those of the Service, which admits all addresses without any.
func sourceRanges(declared v1alpha1.PeerGatewayServiceSpec) []string {
	if slices.Contains(declared.LoadBalancerSourceRanges, v1alpha1.AnySource) {
		return nil
	}
	return declared.LoadBalancerSourceRanges
}

// leaving is the Service that sidecars and control planes of this mesh connect to. The control plane reads its addresses.
func leaving(mesh *v1alpha1.Mesh, pods gatewaypods.Settings) *corev1.Service {
	out := component.Service(mesh, names.PeerLeaving, pods.Selector(), corev1.ServicePort{
		Name: "sidecars", Port: names.PeerLeavingPort, TargetPort: intstr.FromInt32(names.PeerLeavingPort), Protocol: corev1.ProtocolTCP,
	})
	out.Spec.Type = corev1.ServiceTypeClusterIP
	return out
}
