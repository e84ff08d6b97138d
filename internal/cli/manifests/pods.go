package manifests

import (
	"fmt"
	"hash/fnv"
	"net/netip"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/ptr"

	"github.com/openservicemesh/osm-operator/internal/mesh/ingest"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// PodOf returns a pod of a workload, without address and sidecar. It returns nil if the object is not a workload.
func PodOf(workload *unstructured.Unstructured) (*corev1.Pod, error) {
	content := template(workload)
	if content == nil {
		return nil, nil
	}
	pod := &corev1.Pod{}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(content, pod); err != nil {
		return nil, fmt.Errorf("pod template of %s %s/%s: %w", workload.GetKind(), workload.GetNamespace(), workload.GetName(), err)
	}
	pod.TypeMeta = metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"}
	pod.Namespace, pod.Name = workload.GetNamespace(), workload.GetName()+"-0"
	pod.OwnerReferences = []metav1.OwnerReference{{
		APIVersion: workload.GetAPIVersion(), Kind: workload.GetKind(), Name: workload.GetName(), Controller: ptr.To(true),
	}}
	return pod, nil
}

// Inject adds a sidecar to a pod, unless it has one.
func Inject(pod *corev1.Pod) {
	if !ingest.IsInjected(pod) {
		pod.Spec.InitContainers = append(pod.Spec.InitContainers, corev1.Container{Name: names.SidecarContainer, RestartPolicy: ptr.To(corev1.ContainerRestartPolicyAlways)})
	}
}

// EndpointsOf returns an EndpointSlice with the pods that a Service selects.
func EndpointsOf(service *corev1.Service, pods []*corev1.Pod) *discoveryv1.EndpointSlice {
	slice := &discoveryv1.EndpointSlice{
		TypeMeta:    metav1.TypeMeta{APIVersion: "discovery.k8s.io/v1", Kind: "EndpointSlice"},
		ObjectMeta:  metav1.ObjectMeta{Namespace: service.Namespace, Name: service.Name, Labels: map[string]string{discoveryv1.LabelServiceName: service.Name}},
		AddressType: discoveryv1.AddressTypeIPv4,
	}
	selector := labels.SelectorFromSet(service.Spec.Selector)
	for _, pod := range pods {
		if pod.Namespace != service.Namespace || len(pod.Status.PodIPs) == 0 || !selector.Matches(labels.Set(pod.Labels)) {
			continue
		}
		slice.Endpoints = append(slice.Endpoints, discoveryv1.Endpoint{
			Addresses: []string{pod.Status.PodIPs[0].IP}, Conditions: discoveryv1.EndpointConditions{Ready: ptr.To(true)},
			TargetRef: &corev1.ObjectReference{Kind: "Pod", Namespace: pod.Namespace, Name: pod.Name},
		})
	}
	return slice
}

// Addresses generates unique addresses in a network. The same key gets the same address in every mesh, so that two meshes can be
// compared.
type Addresses struct {
	network byte
	taken   map[netip.Addr]bool
}

// NewAddresses returns a generator for the network <first>.0.0.0/8.
func NewAddresses(first byte) *Addresses {
	return &Addresses{network: first, taken: map[netip.Addr]bool{}}
}

// Of returns the address for a key, or the next free one.
func (a *Addresses) Of(key string) netip.Addr {
	sum := fnv.New32a()
	_, _ = sum.Write([]byte(key))
	for n := sum.Sum32(); ; n++ {
		address := netip.AddrFrom4([4]byte{a.network, byte(n >> 16), byte(n >> 8), byte(n)})
		// Skip the network address and the broadcast address.
		if low := n & 0xffffff; low != 0 && low != 0xffffff && !a.taken[address] {
			a.taken[address] = true
			return address
		}
	}
}
