package inventory

import (
	"net/netip"
	"reflect"
	"slices"

	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
)

// membership is what handwritten EndpointSlices make of a pod.
type membership struct {
	identity identity.ServiceAccount
	slices   []sliceOfPod
}

// sliceOfPod is the part of an EndpointSlice that concerns the pods behind it.
type sliceOfPod struct {
	service entity.Name
	ports   map[string]uint16
}

func (inv *Inventory) membership(name entity.Name) membership {
	pod, ok := inv.instances[name]
	if !ok {
		return membership{}
	}
	placed := lists.Map(inv.handwrittenSlices(pod), func(slice *EndpointSlice) sliceOfPod { return sliceOfPod{slice.Service, slice.Ports} })
	return membership{pod.Identity(), placed}
}

// services returns the Services of the slices, each once.
func (m membership) services() []entity.Name {
	names := lists.Map(m.slices, func(slice sliceOfPod) entity.Name { return slice.service })
	return lists.UniqueFunc(names, entity.Name.Compare)
}

// memberships are those of some pods.
type memberships map[entity.Name]membership

// concernedPods returns the pods whose memberships the change of an entry can affect, with their memberships before it.
func (inv *Inventory) concernedPods(before, after Entry) memberships {
	pods := memberships{}
	for _, changed := range []Entry{before, after} {
		switch e := changed.(type) {
		case *Instance:
			inv.addPod(pods, e)
		case *EndpointSlice:
			if inv.isHandwritten(e) {
				inv.addPodsOf(pods, e)
			}
		case *Service:
			if e.HasSelector() {
				continue
			}
			for _, slice := range inv.slicesOf(e.Name) {
				inv.addPodsOf(pods, slice)
			}
		}
	}
	return pods
}

// addPod adds a pod with an address of a handwritten endpoint, and the other pods with this address: it counts while one pod has it.
func (inv *Inventory) addPod(pods memberships, pod *Instance) {
	for _, address := range pod.IPs {
		if len(inv.handwrittenAt[address]) > 0 {
			pods[pod.Name] = inv.membership(pod.Name)
			inv.addPodsAt(pods, address)
		}
	}
}

func (inv *Inventory) addPodsOf(pods memberships, slice *EndpointSlice) {
	for _, endpoint := range slice.Endpoints {
		inv.addPodsAt(pods, endpoint.Address)
	}
}

func (inv *Inventory) addPodsAt(pods memberships, address netip.Addr) {
	for name := range inv.runningAt[address] {
		pods[name] = inv.membership(name)
	}
}

// countMemberships counts how memberships differ from those before the change of an entry.
func (inv *Inventory) countMemberships(old, current Entry, before memberships, affected entity.DepSet) {
	for name, was := range before {
		is := inv.membership(name)
		isDifferent := !reflect.DeepEqual(was, is)
		if isDifferent {
			// What is added first keeps a count above 0 if it is removed then.
			inv.countMembership(is, 1, affected)
			inv.countMembership(was, -1, affected)
			affected.Add(entity.DepPod.Of(name))
			if pod, ok := inv.instances[name]; ok {
				inv.sharing.replace(name, inv.ServicesSelecting(pod), affected)
			}
		}
		if isDifferent || isInstance(name, old, current) {
			for _, service := range slices.Concat(was.services(), is.services()) {
				affected.Add(entity.DepEndpoints.Of(service))
			}
		}
	}
}

func (inv *Inventory) countMembership(m membership, delta int, affected entity.DepSet) {
	for _, service := range m.services() {
		inv.countIdentity(service, m.identity, delta, affected)
	}
}

// isInstance reports whether one of the entries is the instance with the name.
func isInstance(name entity.Name, entries ...Entry) bool {
	return slices.ContainsFunc(entries, func(e Entry) bool {
		instance, ok := e.(*Instance)
		return ok && instance.Name == name
	})
}
