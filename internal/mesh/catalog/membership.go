package catalog

import (
	"net/netip"
	"reflect"
	"slices"

	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
)

// membership is what handwritten EndpointSlices make of a pod.
type membership struct {
	identity   identity.ServiceAccount
	osmSidecar bool
	slices     []sliceOfPod
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
	m := membership{identity: pod.Identity(), osmSidecar: pod.OSMSidecar}
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

// memberships are those of some pods.
type memberships map[Name]membership

// concernedPods returns the pods whose memberships the change of an entry can affect, with their memberships before it.
func (c *Catalog) concernedPods(before, after Entry) memberships {
	pods := memberships{}
	for _, entry := range []Entry{before, after} {
		switch e := entry.(type) {
		case *Pod:
			c.addPod(pods, e)
		case *EndpointSlice:
			if c.isHandwritten(e) {
				c.addPodsOf(pods, e)
			}
		case *Service:
			if e.HasSelector() {
				continue
			}
			for _, slice := range c.slicesOf(e.Name) {
				c.addPodsOf(pods, slice)
			}
		}
	}
	return pods
}

// addPod adds a pod with an address of a handwritten endpoint, and the other pods with this address: it counts while one pod has it.
func (c *Catalog) addPod(pods memberships, pod *Pod) {
	for _, address := range pod.IPs {
		if len(c.handwrittenAt[address]) > 0 {
			pods[pod.Name] = c.membership(pod.Name)
			c.addPodsAt(pods, address)
		}
	}
}

func (c *Catalog) addPodsOf(pods memberships, slice *EndpointSlice) {
	for _, endpoint := range slice.Endpoints {
		c.addPodsAt(pods, endpoint.Address)
	}
}

func (c *Catalog) addPodsAt(pods memberships, address netip.Addr) {
	for name := range c.podsAt[address] {
		pods[name] = c.membership(name)
	}
}

// countMemberships counts how memberships differ from those before the change of an entry.
func (c *Catalog) countMemberships(changed Ref, before memberships, affected depSet) {
	for name, was := range before {
		is := c.membership(name)
		isDifferent := !reflect.DeepEqual(was, is)
		if isDifferent {
			// What is added first keeps a count above 0 if it is removed then.
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
		c.countOSMSidecar(service, m.osmSidecar, delta, affected)
	}
}
