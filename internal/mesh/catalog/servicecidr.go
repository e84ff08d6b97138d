package catalog

import (
	"net/netip"
	"slices"
)

// ServiceCIDR has ranges from which Kubernetes assigns the virtual addresses of Services.
type ServiceCIDR struct {
	Name   string
	Ranges []netip.Prefix
}

// Ref implements Entry.
func (s *ServiceCIDR) Ref() Ref { return Ref{KindServiceCIDR, Name{Name: s.Name}} }

// Deps implements Entry.
func (s *ServiceCIDR) Deps(list []Dep) []Dep { return append(list, Dep{Kind: DepServiceRanges}) }

// ServiceRanges returns the ranges of the virtual addresses of Services, each once and sorted. There are none before Kubernetes 1.33, which does not have
// the kind.
func (v *View) ServiceRanges() []netip.Prefix {
	var ranges []netip.Prefix
	for _, entry := range find[*ServiceCIDR](v, KindServiceCIDR, Dep{Kind: DepServiceRanges}) {
		ranges = append(ranges, entry.Ranges...)
	}
	slices.SortFunc(ranges, netip.Prefix.Compare)
	return slices.Compact(ranges)
}

// AddressesOutside returns the virtual addresses of Services that are not in the mesh, sorted. Addresses that are in no range are omitted.
func (v *View) AddressesOutside() []netip.Addr {
	v.deps.add(DepAddressesOutside, Name{})
	ranges := v.ServiceRanges()
	var addresses []netip.Addr
	for address, services := range v.catalog.servicesAt {
		isInRange := func(r netip.Prefix) bool { return r.Contains(address) }
		if v.isOutside(services) && slices.ContainsFunc(ranges, isInRange) {
			addresses = append(addresses, address)
		}
	}
	slices.SortFunc(addresses, netip.Addr.Compare)
	return addresses
}

// isOutside reports whether one of some Services is not in the mesh.
func (v *View) isOutside(services map[Name]struct{}) bool {
	for name := range services {
		if !v.InMesh(name.Namespace) {
			return true
		}
	}
	return false
}

// indexAddresses adds the virtual addresses of a Service to the index, or removes them.
func (c *Catalog) indexAddresses(service *Service, delta int) {
	for _, address := range service.ClusterIPs {
		updateIndex(c.servicesAt, address, service.Name, delta)
	}
}

// affectAddresses affects the addresses outside the mesh if the change of a Service there changes its addresses.
func (c *Catalog) affectAddresses(before, after Entry, affected depSet) {
	var addresses [2][]netip.Addr
	for i, entry := range []Entry{before, after} {
		service, ok := entry.(*Service)
		if !ok {
			continue
		}
		if namespace, known := get[*Namespace](c, KindNamespace, Name{Namespace: service.Name.Namespace}); known && namespace.Monitored {
			return
		}
		addresses[i] = service.ClusterIPs
	}
	if !slices.Equal(addresses[0], addresses[1]) {
		affected.add(DepAddressesOutside, Name{})
	}
}
