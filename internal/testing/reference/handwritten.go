package reference

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
)

// behind returns the pod that receives what is sent to an endpoint of a Service; nil if nothing is sent there.
func (c *Cluster) behind(service *corev1.Service, e discoveryv1.Endpoint) *corev1.Pod {
	if len(service.Spec.Selector) == 0 {
		return c.addressedBy(service, e)
	}
	for _, pod := range c.selected(service) {
		if e.TargetRef != nil && pod.Name == e.TargetRef.Name && hasAddress(pod, e.Addresses[0]) {
			return pod
		}
	}
	return nil
}

func hasAddress(pod *corev1.Pod, address string) bool {
	return slices.ContainsFunc(pod.Status.PodIPs, func(ip corev1.PodIP) bool { return ip.IP == address })
}

// addressedBy returns the pod at the address of a handwritten endpoint. It is nil if no pod of the Service's namespace has the address, if several pods
// have it, or if the endpoint names another one.
func (c *Cluster) addressedBy(service *corev1.Service, e discoveryv1.Endpoint) *corev1.Pod {
	var there []*corev1.Pod
	for i := range c.Pods {
		if hasAddress(&c.Pods[i], e.Addresses[0]) {
			there = append(there, &c.Pods[i])
		}
	}
	if len(there) != 1 || there[0].Namespace != service.Namespace {
		return nil
	}
	if ref := e.TargetRef; ref != nil && (ref.Kind != "Pod" || ref.Name != there[0].Name || ref.Namespace != "" && ref.Namespace != service.Namespace) {
		return nil
	}
	return there[0]
}

// addressed returns the pods behind the handwritten EndpointSlices of a Service, ready or not.
func (c *Cluster) addressed(service *corev1.Service) []*corev1.Pod {
	var list []*corev1.Pod
	for _, slice := range c.slicesOf(service) {
		for _, e := range slice.Endpoints {
			if pod := c.addressedBy(service, e); pod != nil && !slices.Contains(list, pod) {
				list = append(list, pod)
			}
		}
	}
	return list
}

// handwrittenPort returns the container port of a port of a Service without a selector: EndpointSlices with pods have it instead of the Service. It is not
// known without such pods.
func (c *Cluster) handwrittenPort(service *corev1.Service, port corev1.ServicePort) (number int32, known bool) {
	if len(service.Spec.Selector) > 0 {
		return 0, false
	}
	for _, slice := range c.slicesOf(service) {
		if !slices.ContainsFunc(slice.Endpoints, func(e discoveryv1.Endpoint) bool { return c.addressedBy(service, e) != nil }) {
			continue
		}
		known = true
		if other := numberIn(slice, port); number == 0 || other != 0 && other < number {
			number = other
		}
	}
	return number, known
}

// numberIn returns the number that an EndpointSlice has for a port of its Service; 0 for none.
func numberIn(slice discoveryv1.EndpointSlice, port corev1.ServicePort) int32 {
	for _, p := range slice.Ports {
		if *p.Name == port.Name {
			return *p.Port
		}
	}
	return 0
}
