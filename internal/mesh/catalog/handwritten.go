package catalog

import (
	"maps"
	"net/netip"
	"slices"
)

// handwritten is an endpoint of a Service without a selector, in an EndpointSlice that somebody else than Kubernetes writes.
type handwritten struct {
	slice Name
	// pod is the pod that the endpoint names; empty for any.
	pod Name
}

// HasSelector is false for a Service whose EndpointSlices are handwritten.
func (s *Service) HasSelector() bool { return len(s.Selector) > 0 }

// hasSidecar reports whether the pod can prove its identity.
func (p *Pod) hasSidecar() bool { return p.Injected || p.OSMSidecar }

// podBehind returns the pod behind an endpoint of a Service, or nil. With a selector it is the pod that the endpoint names. Without one it is the only
// running pod with the address: whoever writes endpoints can choose among the pods of the namespace, and their sidecars still prove who they are.
func (c *Catalog) podBehind(service *Service, endpoint Endpoint) *Pod {
	name := endpoint.Pod
	if !service.HasSelector() {
		if name = c.onlyPodAt(endpoint.Address); endpoint.Pod != (Name{}) && endpoint.Pod != name {
			return nil
		}
	}
	pod, ok := get[*Pod](c, KindPod, name)
	if !ok || !pod.hasSidecar() || pod.Name.Namespace != service.Name.Namespace || !slices.Contains(pod.IPs, endpoint.Address) {
		return nil
	}
	if service.HasSelector() && !service.selects(pod) {
		return nil
	}
	return pod
}

// onlyPodAt returns the running pod with an address. It is empty if several have it.
func (c *Catalog) onlyPodAt(address netip.Addr) Name {
	if len(c.podsAt[address]) == 1 {
		for name := range c.podsAt[address] {
			return name
		}
	}
	return Name{}
}

// handwrittenSlices returns the EndpointSlices that put a pod behind Services without a selector, sorted.
func (c *Catalog) handwrittenSlices(pod *Pod) []*EndpointSlice {
	names := map[Name]struct{}{}
	for _, address := range pod.IPs {
		if len(c.handwrittenAt[address]) == 0 || c.onlyPodAt(address) != pod.Name || !pod.hasSidecar() {
			continue
		}
		for endpoint := range c.handwrittenAt[address] {
			if endpoint.pod == (Name{}) || endpoint.pod == pod.Name {
				names[endpoint.slice] = struct{}{}
			}
		}
	}
	isForeign := func(s *EndpointSlice) bool { return s.Service.Namespace != pod.Name.Namespace }
	return slices.DeleteFunc(entriesNamed[*EndpointSlice](c, KindEndpointSlice, names), isForeign)
}

// isHandwritten reports whether an EndpointSlice is of a Service without a selector.
func (c *Catalog) isHandwritten(slice *EndpointSlice) bool {
	service, ok := get[*Service](c, KindService, slice.Service)
	return ok && !service.HasSelector()
}

// indexHandwritten adds the endpoints of a slice to the index, or removes them.
func (c *Catalog) indexHandwritten(slice *EndpointSlice, delta int) {
	for _, endpoint := range slice.Endpoints {
		c.handwrittenAt.add(endpoint.Address, handwritten{slice.Name, endpoint.Pod}, delta)
	}
}

// slicesOf returns the EndpointSlices of a Service, sorted.
func (c *Catalog) slicesOf(service Name) []*EndpointSlice {
	return sorted[*EndpointSlice](c, KindEndpointSlice, Dep{DepEndpoints, service})
}

// handwrittenPorts returns the container ports behind a port of a Service without a selector, sorted. They are not known without a pod behind it.
func (c *Catalog) handwrittenPorts(service *Service, port Port) (numbers []uint16, known bool) {
	for _, slice := range c.slicesOf(service.Name) {
		if !slices.ContainsFunc(slice.Endpoints, func(e Endpoint) bool { return c.podBehind(service, e) != nil }) {
			continue
		}
		known = true
		if number, ok := slice.Ports[port.Name]; ok {
			numbers = append(numbers, number)
		}
	}
	slices.Sort(numbers)
	return slices.Compact(numbers), known
}

// LeftOut returns the addresses of a Service that get no traffic for good, sorted. With a selector these are the endpoints that name no pod. Others
// appear for a moment whenever a pod ends.
func (v *View) LeftOut(service *Service) []netip.Addr {
	v.deps.add(DepEndpoints, service.Name)
	addresses := map[netip.Addr]struct{}{}
	for _, slice := range v.catalog.slicesOf(service.Name) {
		for _, endpoint := range slice.Endpoints {
			mayAppear := service.HasSelector() && endpoint.Pod != (Name{})
			if v.catalog.podBehind(service, endpoint) == nil && !mayAppear {
				addresses[endpoint.Address] = struct{}{}
			}
		}
	}
	return slices.SortedFunc(maps.Keys(addresses), netip.Addr.Compare)
}
