package inventory

import (
	"maps"
	"math/bits"
	"slices"

	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
)

// update adds an entry to the indexes if delta is 1, and removes it if delta is -1.
func (inv *Inventory) update(entry Entry, delta int, affected entity.DepSet) {
	switch e := entry.(type) {
	case *Instance:
		inv.updateInstance(e, delta, affected)
	case *Service:
		inv.servicesIn.Update(e.Name.Namespace, e.Name, delta)
		for _, address := range e.ClusterIPs {
			inv.servicesAt.Update(address, e.Name, delta)
		}
		inv.indexSelector(e, delta)
		inv.updateService(e, delta, affected)
	case *EndpointSlice:
		inv.slicesByService.Update(e.Service, e.Name, delta)
		if inv.isHandwritten(e) {
			inv.indexHandwritten(e, delta)
		}
	}
}

func (inv *Inventory) updateInstance(pod *Instance, delta int, affected entity.DepSet) {
	inv.instancesIn.Update(pod.Name.Namespace, pod.Name, delta)
	if !pod.Finished {
		for _, address := range pod.IPs {
			inv.runningAt.Update(address, pod.Name, delta)
		}
	}
	for _, name := range inv.servicesMatching(pod) {
		inv.countIdentity(name, pod.Identity(), delta, affected)
		if service, ok := inv.services[name]; ok {
			inv.countTargetPorts(service, pod, delta)
		}
		affected.Add(entity.DepEndpoints.Of(name))
	}
	var all []entity.Name
	if delta > 0 {
		all = inv.ServicesSelecting(pod)
	}
	inv.sharing.replace(pod.Name, all, affected)
}

// ServicesSelecting returns the Services that a pod is behind, in no particular order.
func (inv *Inventory) ServicesSelecting(pod *Instance) []entity.Name {
	names := inv.servicesMatching(pod)
	for _, slice := range inv.handwrittenSlices(pod) {
		if !slices.Contains(names, slice.Service) {
			names = append(names, slice.Service)
		}
	}
	return names
}

// servicesMatching returns the Services whose selectors match a pod, in no particular order.
func (inv *Inventory) servicesMatching(pod *Instance) []entity.Name {
	var names []entity.Name
	for key, value := range pod.Labels {
		for name := range inv.servicesWith[label{pod.Name.Namespace, key, value}] {
			if service, ok := inv.services[name]; ok && service.Selects(pod) {
				names = append(names, name)
			}
		}
	}
	return names
}

// label is a label in a namespace.
type label struct{ namespace, key, value string }

// indexSelector adds a Service to the index of labels, or removes it. It is there with the first label of its selector.
func (inv *Inventory) indexSelector(service *Service, delta int) {
	if !service.HasSelector() {
		return
	}
	key := slices.Min(slices.Collect(maps.Keys(service.Selector)))
	inv.servicesWith.Update(label{service.Name.Namespace, key, service.Selector[key]}, service.Name, delta)
}

func (inv *Inventory) updateService(service *Service, delta int, affected entity.DepSet) {
	affected.Add(entity.DepEndpoints.Of(service.Name))
	if !service.HasSelector() {
		for _, slice := range inv.slicesOf(service.Name) {
			inv.indexHandwritten(slice, delta)
		}
		return
	}
	var selected []*Instance
	for name := range inv.instancesIn[service.Name.Namespace] {
		pod, ok := inv.instances[name]
		if ok && service.Selects(pod) {
			inv.countIdentity(service.Name, pod.Identity(), delta, affected)
			inv.countTargetPorts(service, pod, delta)
			selected = append(selected, pod)
		}
	}
	inv.sharing.replaceAll(selected, inv.ServicesSelecting, affected)
}

func (inv *Inventory) countIdentity(service entity.Name, sa identity.ServiceAccount, delta int, affected entity.DepSet) {
	inv.countPod(service, delta, affected)
	if inv.identities.add(service, sa, delta) {
		affected.Add(entity.DepServiceIdentities.Of(service))
	}
	if inv.servicesOf.add(sa, service, delta) {
		affected.Add(entity.DepServicesOf.Of(entity.Name(sa)))
	}
}

// countPod counts a pod that a Service begins or ceases to select. It affects the number only if the rounded one changes.
func (inv *Inventory) countPod(service entity.Name, delta int, affected entity.DepSet) {
	before := inv.podCounts[service]
	after := before + delta
	if after > 0 {
		inv.podCounts[service] = after
	} else {
		delete(inv.podCounts, service)
	}
	if roundedUp(before) != roundedUp(after) {
		affected.Add(entity.DepPodCount.Of(service))
	}
}

// roundedUp returns a number of pods, rounded up to one less than a power of two.
func roundedUp(pods int) int { return 1<<bits.Len(uint(pods)) - 1 }
