package inventory

import (
	"iter"
	"maps"
	"net/netip"
	"slices"

	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
)

// Entry is an Instance, a Service or an EndpointSlice.
type Entry interface {
	// Ref identifies the entry.
	Ref() entity.Ref
	// Deps appends the dependencies on the entry's own data.
	Deps(list []entity.Dep) []entity.Dep
}

// Inventory has the instances of one mesh and the Services that lead to them. It is not safe for concurrent use.
type Inventory struct {
	instances map[entity.Name]*Instance
	services  map[entity.Name]*Service
	slices    map[entity.Name]*EndpointSlice

	// instancesIn and servicesIn have the instances and Services of each namespace, and slicesByService the EndpointSlices of each Service.
	instancesIn     entity.Names[string]
	servicesIn      entity.Names[string]
	slicesByService entity.Names[entity.Name]
	// runningAt has the running instances of each address.
	runningAt entity.Names[netip.Addr]
	// servicesAt has the Services with each virtual address.
	servicesAt entity.Names[netip.Addr]
	// servicesWith has the Services whose selectors have a label as their first one.
	servicesWith entity.Names[label]
	// handwrittenAt has the endpoints of Services without a selector at each address.
	handwrittenAt counts[netip.Addr, handwritten]
	identities    counts[entity.Name, identity.ServiceAccount]
	servicesOf    counts[identity.ServiceAccount, entity.Name]
	// podCounts has the number of instances that a Service selects.
	podCounts map[entity.Name]int
	sharing   sharing
	// targetPorts has the numbers of a port name in the instances of a Service.
	targetPorts counts[portName, uint16]
}

// New returns an empty inventory.
func New() *Inventory {
	return &Inventory{
		instances:       map[entity.Name]*Instance{},
		services:        map[entity.Name]*Service{},
		slices:          map[entity.Name]*EndpointSlice{},
		instancesIn:     entity.Names[string]{},
		servicesIn:      entity.Names[string]{},
		slicesByService: entity.Names[entity.Name]{},
		runningAt:       entity.Names[netip.Addr]{},
		servicesAt:      entity.Names[netip.Addr]{},
		servicesWith:    entity.Names[label]{},
		handwrittenAt:   counts[netip.Addr, handwritten]{},
		identities:      counts[entity.Name, identity.ServiceAccount]{},
		servicesOf:      counts[identity.ServiceAccount, entity.Name]{},
		podCounts:       map[entity.Name]int{},
		sharing:         newSharing(),
		targetPorts:     counts[portName, uint16]{},
	}
}

// Replace replaces an entry with another version of it, and adds the dependencies on everything that becomes different. Nil is no entry.
func (inv *Inventory) Replace(before, after Entry, affected entity.DepSet) {
	concerned := inv.concernedPods(before, after)
	inv.update(before, -1, affected)
	inv.store(before, false)
	inv.store(after, true)
	inv.update(after, 1, affected)
	inv.countMemberships(before, after, concerned, affected)
}

// store adds an entry under its name, or removes it.
func (inv *Inventory) store(entry Entry, exists bool) {
	switch e := entry.(type) {
	case *Instance:
		storeOne(inv.instances, e.Name, e, exists)
	case *Service:
		storeOne(inv.services, e.Name, e, exists)
	case *EndpointSlice:
		storeOne(inv.slices, e.Name, e, exists)
	}
}

func storeOne[E any](entries map[entity.Name]E, name entity.Name, e E, exists bool) {
	if exists {
		entries[name] = e
	} else {
		delete(entries, name)
	}
}

// Instance returns an instance, or nil.
func (inv *Inventory) Instance(name entity.Name) *Instance { return inv.instances[name] }

// Service returns a Service, or nil.
func (inv *Inventory) Service(name entity.Name) *Service { return inv.services[name] }

// InstancesIn returns the instances of a namespace, sorted by name.
func (inv *Inventory) InstancesIn(namespace string) []*Instance {
	return lists.Map(slices.SortedFunc(maps.Keys(inv.instancesIn[namespace]), entity.Name.Compare), inv.Instance)
}

// CountIn returns the number of instances of a namespace.
func (inv *Inventory) CountIn(namespace string) int { return len(inv.instancesIn[namespace]) }

// ServicesIn returns the names of the Services of a namespace, sorted.
func (inv *Inventory) ServicesIn(namespace string) []entity.Name {
	return slices.SortedFunc(maps.Keys(inv.servicesIn[namespace]), entity.Name.Compare)
}

// AllServicesIn returns the Services of a namespace, in no particular order.
func (inv *Inventory) AllServicesIn(namespace string) iter.Seq[*Service] {
	return func(yield func(*Service) bool) {
		for name := range inv.servicesIn[namespace] {
			if !yield(inv.services[name]) {
				return
			}
		}
	}
}

// RunningAt returns the names of the running instances with an address, sorted.
func (inv *Inventory) RunningAt(address netip.Addr) []entity.Name {
	return slices.SortedFunc(maps.Keys(inv.runningAt[address]), entity.Name.Compare)
}

// AnyRunningAt reports whether a running instance has an address.
func (inv *Inventory) AnyRunningAt(address netip.Addr) bool { return len(inv.runningAt[address]) > 0 }

// VirtualAddresses calls yield for each virtual address and each Service that has it, in no particular order.
func (inv *Inventory) VirtualAddresses(yield func(netip.Addr, *Service) bool) {
	for address, names := range inv.servicesAt {
		for name := range names {
			if !yield(address, inv.services[name]) {
				return
			}
		}
	}
}

// Identities returns the identities of the instances behind a Service, sorted.
func (inv *Inventory) Identities(service entity.Name) []identity.ServiceAccount {
	return slices.SortedFunc(maps.Keys(inv.identities[service]), identity.ServiceAccount.Compare)
}

// ServicesOf returns the Services whose instances have the identity, sorted.
func (inv *Inventory) ServicesOf(account identity.ServiceAccount) []entity.Name {
	return slices.SortedFunc(maps.Keys(inv.servicesOf[account]), entity.Name.Compare)
}

// Sharing returns the other Services that select instances of a Service, sorted.
func (inv *Inventory) Sharing(service entity.Name) []entity.Name { return inv.sharing.with(service) }

// CountUpTo returns how many instances a Service selects, rounded up to one less than a power of two.
func (inv *Inventory) CountUpTo(service entity.Name) int { return roundedUp(inv.podCounts[service]) }

// slicesOf returns the EndpointSlices of a Service, sorted.
func (inv *Inventory) slicesOf(service entity.Name) []*EndpointSlice {
	return inv.slicesNamed(inv.slicesByService[service])
}

func (inv *Inventory) slicesNamed(names map[entity.Name]struct{}) []*EndpointSlice {
	list := make([]*EndpointSlice, 0, len(names))
	for name := range names {
		if slice, ok := inv.slices[name]; ok {
			list = append(list, slice)
		}
	}
	slices.SortFunc(list, func(a, b *EndpointSlice) int { return a.Name.Compare(b.Name) })
	return list
}
