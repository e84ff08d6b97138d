package catalog

import (
	"maps"
	"net/netip"
	"reflect"
	"slices"

	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
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
	return slices.DeleteFunc(entriesNamed[*EndpointSlice](c, KindEndpointSlice, names), func(s *EndpointSlice) bool { return s.Service.Namespace != pod.Name.Namespace })
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

// membership is what handwritten EndpointSlices make of a pod.
type membership struct {
	identity identity.ServiceAccount
	slices   []sliceOfPod
}

// sliceOfPod is the part of an EndpointSlice that concerns the pods behind it.
type sliceOfPod struct {
	service Name
	ports   map[string]uint16
}

func (c *Catalog) membership(name Name) membership {
	pod, ok := get[*Pod](c, KindPod, name)
	if !ok {
		return membership{}
	}
	m := membership{identity: pod.Identity()}
	for _, slice := range c.handwrittenSlices(pod) {
		m.slices = append(m.slices, sliceOfPod{slice.Service, slice.Ports})
	}
	return m
}

// services returns the Services of the slices, each once.
func (m membership) services() []Name {
	var names []Name
	for _, slice := range m.slices {
		names = append(names, slice.service)
	}
	slices.SortFunc(names, Name.Compare)
	return slices.Compact(names)
}

// concernedPods returns the pods whose memberships a change of an entry can affect, with these memberships.
func (c *Catalog) concernedPods(before, after Entry) map[Name]membership {
	var pods map[Name]membership
	addAt := func(address netip.Addr) {
		for name := range c.podsAt[address] {
			if pods == nil {
				pods = map[Name]membership{}
			}
			pods[name] = c.membership(name)
		}
	}
	addSlice := func(slice *EndpointSlice) {
		for _, endpoint := range slice.Endpoints {
			addAt(endpoint.Address)
		}
	}
	for _, entry := range []Entry{before, after} {
		switch e := entry.(type) {
		case *Pod:
			for _, address := range e.IPs {
				if len(c.handwrittenAt[address]) == 0 {
					continue
				}
				if addAt(address); pods == nil {
					pods = map[Name]membership{}
				}
				pods[e.Name] = c.membership(e.Name)
			}
		case *EndpointSlice:
			if service, ok := get[*Service](c, KindService, e.Service); ok && !service.HasSelector() {
				addSlice(e)
			}
		case *Service:
			if !e.HasSelector() {
				for _, slice := range c.slicesOf(e.Name) {
					addSlice(slice)
				}
			}
		}
	}
	return pods
}

// countMemberships counts how memberships differ from those before the change of an entry.
func (c *Catalog) countMemberships(changed Ref, before map[Name]membership, affected depSet) {
	for name, was := range before {
		is := c.membership(name)
		isDifferent := !reflect.DeepEqual(was, is)
		if isDifferent {
			c.countMembership(is, 1, affected)
			c.countMembership(was, -1, affected)
			affected.add(DepPod, name)
			if pod, ok := get[*Pod](c, KindPod, name); ok {
				c.sharing.replace(name, c.servicesSelecting(pod), affected)
			}
		}
		if isDifferent || changed == (Ref{KindPod, name}) {
			for _, service := range slices.Concat(was.services(), is.services()) {
				affected.add(DepEndpoints, service)
			}
		}
	}
}

func (c *Catalog) countMembership(m membership, delta int, affected depSet) {
	for _, service := range m.services() {
		c.countIdentity(service, m.identity, delta, affected)
	}
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

// LeftOut returns the addresses of a Service without a selector that get no traffic, sorted. An address counts only if exactly one running pod has it, and
// if this pod is of the Service's namespace and has a sidecar.
func (v *View) LeftOut(service *Service) []netip.Addr {
	v.deps.add(DepEndpoints, service.Name)
	if service.HasSelector() {
		return nil
	}
	addresses := map[netip.Addr]struct{}{}
	for _, slice := range v.catalog.slicesOf(service.Name) {
		for _, endpoint := range slice.Endpoints {
			if v.catalog.podBehind(service, endpoint) == nil {
				addresses[endpoint.Address] = struct{}{}
			}
		}
	}
	return slices.SortedFunc(maps.Keys(addresses), netip.Addr.Compare)
}
