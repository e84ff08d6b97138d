package inventory

import (
	"net/netip"
	"slices"

	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
)

// handwritten is an endpoint of a Service without a selector, in an EndpointSlice that somebody else than Kubernetes writes.
type handwritten struct {
	slice entity.Name
	// pod is the pod that the endpoint names; empty for any.
	pod entity.Name
}

// podBehind returns the pod behind an endpoint of a Service, or nil. With a selector it is the pod that the endpoint names. Without one it is the only
// running pod with the address: whoever writes endpoints can choose among the pods of the namespace, and their sidecars still prove who they are.
func (inv *Inventory) podBehind(service *Service, endpoint Endpoint) *Instance {
	name := endpoint.Pod
	if !service.HasSelector() {
		if name = inv.onlyPodAt(endpoint.Address); endpoint.Pod != (entity.Name{}) && endpoint.Pod != name {
			return nil
		}
	}
	pod, ok := inv.instances[name]
	if !ok || !pod.HasSidecar() || pod.Name.Namespace != service.Name.Namespace || !slices.Contains(pod.IPs, endpoint.Address) {
		return nil
	}
	if service.HasSelector() && !service.Selects(pod) {
		return nil
	}
	return pod
}

// onlyPodAt returns the running pod with an address. It is empty if several have it.
func (inv *Inventory) onlyPodAt(address netip.Addr) entity.Name {
	if len(inv.runningAt[address]) == 1 {
		for name := range inv.runningAt[address] {
			return name
		}
	}
	return entity.Name{}
}

// handwrittenSlices returns the EndpointSlices that put a pod behind Services without a selector, sorted.
func (inv *Inventory) handwrittenSlices(pod *Instance) []*EndpointSlice {
	names := map[entity.Name]struct{}{}
	for _, address := range pod.IPs {
		if len(inv.handwrittenAt[address]) == 0 || inv.onlyPodAt(address) != pod.Name || !pod.HasSidecar() {
			continue
		}
		for endpoint := range inv.handwrittenAt[address] {
			if endpoint.pod == (entity.Name{}) || endpoint.pod == pod.Name {
				names[endpoint.slice] = struct{}{}
			}
		}
	}
	isElsewhere := func(s *EndpointSlice) bool { return s.Service.Namespace != pod.Name.Namespace }
	return slices.DeleteFunc(inv.slicesNamed(names), isElsewhere)
}

// isHandwritten reports whether an EndpointSlice is of a Service without a selector.
func (inv *Inventory) isHandwritten(slice *EndpointSlice) bool {
	service, ok := inv.services[slice.Service]
	return ok && !service.HasSelector()
}

// indexHandwritten adds the endpoints of a slice to the index, or removes them.
func (inv *Inventory) indexHandwritten(slice *EndpointSlice, delta int) {
	for _, endpoint := range slice.Endpoints {
		inv.handwrittenAt.add(endpoint.Address, handwritten{slice.Name, endpoint.Pod}, delta)
	}
}

// handwrittenPorts returns the container ports behind a port of a Service without a selector, sorted. They are not known without a pod behind it.
func (inv *Inventory) handwrittenPorts(service *Service, port Port) (numbers []uint16, known bool) {
	for _, slice := range inv.slicesOf(service.Name) {
		if !slices.ContainsFunc(slice.Endpoints, func(e Endpoint) bool { return inv.podBehind(service, e) != nil }) {
			continue
		}
		known = true
		if number, ok := slice.Ports[port.Name]; ok {
			numbers = append(numbers, number)
		}
	}
	return lists.Unique(numbers), known
}

// LeftOut returns the addresses of a Service that get no traffic for good, sorted. With a selector these are the endpoints that name no pod. Others
// appear for a moment whenever a pod ends.
func (inv *Inventory) LeftOut(service *Service) []netip.Addr {
	return addressesOf(lists.Filter(inv.endpointsOf(service.Name), func(endpoint Endpoint) bool {
		mayAppear := service.HasSelector() && endpoint.Pod != (entity.Name{})
		return inv.podBehind(service, endpoint) == nil && !mayAppear
	}))
}
