package objects

import (
	"net/netip"

	accessv1alpha3 "github.com/servicemeshinterface/smi-sdk-go/pkg/apis/access/v1alpha3"
	specsv1alpha4 "github.com/servicemeshinterface/smi-sdk-go/pkg/apis/specs/v1alpha4"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// Meta returns the metadata of an object.
func Meta(name entity.Name) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: name.Namespace, Name: name.Name}
}

// Pod returns a pod with an application and a sidecar.
func Pod(p *inventory.Instance) corev1.Pod {
	pod := corev1.Pod{ObjectMeta: Meta(p.Name)}
	pod.UID, pod.Labels = types.UID(p.ID), map[string]string{names.RevisionLabel: p.Revision}
	for key, value := range p.Labels {
		pod.Labels[key] = value
	}
	application := corev1.Container{Name: "application"}
	for name, number := range p.Ports {
		application.Ports = append(application.Ports, corev1.ContainerPort{Name: name, ContainerPort: int32(number)})
	}
	pod.Spec.ServiceAccountName = p.ServiceAccount
	pod.Spec.Containers = []corev1.Container{application}
	pod.Spec.InitContainers = []corev1.Container{{Name: names.SidecarContainer, RestartPolicy: ptr.To(corev1.ContainerRestartPolicyAlways)}}
	for _, ip := range p.IPs {
		pod.Status.PodIPs = append(pod.Status.PodIPs, corev1.PodIP{IP: ip.String()})
	}
	if p.Terminating {
		pod.DeletionTimestamp = ptr.To(metav1.Unix(1_800_000_000, 0))
	}
	if p.NodeUnreachable {
		pod.Status.Conditions = []corev1.PodCondition{
			{Type: corev1.PodReady, Status: corev1.ConditionFalse},
			{Type: corev1.ContainersReady, Status: corev1.ConditionTrue},
		}
	}
	return pod
}

// Service returns a Service.
func Service(s *inventory.Service) corev1.Service {
	service := corev1.Service{ObjectMeta: Meta(s.Name)}
	if s.DecodeSlashes != nil {
		service.Annotations = map[string]string{names.EscapedSlashesAnnotation: map[bool]string{
			true:  names.EscapedSlashesDecode,
			false: names.EscapedSlashesReject,
		}[*s.DecodeSlashes]}
	}
	service.Spec.Selector = s.Selector
	service.Spec.ClusterIPs = addressTexts(s.ClusterIPs)
	if s.Headless() {
		service.Spec.ClusterIPs = []string{corev1.ClusterIPNone}
	}
	service.Spec.ClusterIP = service.Spec.ClusterIPs[0]
	for _, p := range s.Ports {
		port := corev1.ServicePort{
			Name: p.Name, Port: int32(p.Number), AppProtocol: ptr.To(string(p.Protocol)),
			TargetPort: intstr.FromInt32(int32(p.TargetPort)),
		}
		if p.TLS {
			port.AppProtocol = ptr.To("https")
		}
		if p.TargetName != "" {
			port.TargetPort = intstr.FromString(p.TargetName)
		}
		service.Spec.Ports = append(service.Spec.Ports, port)
	}
	return service
}

func addressTexts(addresses []netip.Addr) []string {
	var list []string
	for _, address := range addresses {
		list = append(list, address.String())
	}
	return list
}

// EndpointSlice returns an EndpointSlice with IPv4 addresses.
func EndpointSlice(s *inventory.EndpointSlice) discoveryv1.EndpointSlice {
	slice := discoveryv1.EndpointSlice{ObjectMeta: Meta(s.Name), AddressType: discoveryv1.AddressTypeIPv4}
	slice.Labels = map[string]string{discoveryv1.LabelServiceName: s.Service.Name}
	for name, number := range s.Ports {
		slice.Ports = append(slice.Ports, discoveryv1.EndpointPort{Name: ptr.To(name), Port: ptr.To(int32(number))})
	}
	for _, e := range s.Endpoints {
		endpoint := discoveryv1.Endpoint{
			Addresses:  []string{e.Address.String()},
			Conditions: discoveryv1.EndpointConditions{Ready: ptr.To(e.Ready), Serving: ptr.To(e.Ready || e.Terminating), Terminating: ptr.To(e.Terminating)},
		}
		if e.Pod != (entity.Name{}) {
			endpoint.TargetRef = &corev1.ObjectReference{Kind: "Pod", Namespace: e.Pod.Namespace, Name: e.Pod.Name}
		}
		slice.Endpoints = append(slice.Endpoints, endpoint)
	}
	return slice
}

func subject(sa identity.ServiceAccount) accessv1alpha3.IdentityBindingSubject {
	return accessv1alpha3.IdentityBindingSubject{Kind: "ServiceAccount", Namespace: sa.Namespace, Name: sa.Name}
}

// TrafficTarget returns a TrafficTarget.
func TrafficTarget(t *catalog.TrafficTarget) accessv1alpha3.TrafficTarget {
	target := accessv1alpha3.TrafficTarget{ObjectMeta: Meta(t.Name)}
	target.Spec.Destination = subject(t.Destination)
	for _, source := range t.Sources {
		target.Spec.Sources = append(target.Spec.Sources, subject(source))
	}
	for _, source := range t.PeerSources {
		target.Spec.Sources = append(target.Spec.Sources, accessv1alpha3.IdentityBindingSubject{
			Kind: "PeerServiceAccount", Namespace: source.Namespace, Name: source.Peer + "/" + source.Name,
		})
	}
	for _, rule := range t.Rules {
		target.Spec.Rules = append(target.Spec.Rules, accessv1alpha3.TrafficTargetRule{Kind: string(rule.Kind), Name: rule.Name, Matches: rule.Matches})
	}
	return target
}

// HTTPRouteGroup returns an HTTPRouteGroup.
func HTTPRouteGroup(g *catalog.HTTPRouteGroup) specsv1alpha4.HTTPRouteGroup {
	group := specsv1alpha4.HTTPRouteGroup{ObjectMeta: Meta(g.Name)}
	for _, m := range g.Matches {
		match := specsv1alpha4.HTTPMatch{Name: m.Name, PathRegex: m.PathRegex, Methods: m.Methods}
		for _, header := range m.Headers {
			if match.Headers == nil {
				match.Headers = map[string]string{}
			}
			name := header.Name
			if name == ":authority" {
				name = "host"
			}
			match.Headers[name] = header.Regex
		}
		group.Spec.Matches = append(group.Spec.Matches, match)
	}
	return group
}
