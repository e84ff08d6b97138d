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
	for _, entry := range Find[*ServiceCIDR](v, KindServiceCIDR, Dep{Kind: DepServiceRanges}) {
		ranges = append(ranges, entry.Ranges...)
	}
	slices.SortFunc(ranges, netip.Prefix.Compare)
	return slices.Compact(ranges)
}

// ServicesOutside returns the virtual addresses and ports of Services that are not in the mesh, sorted. Addresses that are in no range are omitted.
func (v *View) ServicesOutside() []netip.AddrPort {
	v.deps.add(DepServicesOutside, Name{})
	ranges := v.ServiceRanges()
	var list []netip.AddrPort
	for address, services := range v.catalog.servicesAt {
		isInRange := func(r netip.Prefix) bool { return r.Contains(address) }
		if !slices.ContainsFunc(ranges, isInRange) {
			continue
		}
		for name := range services {
			service, ok := get[*Service](v.catalog, KindService, name)
			if !ok || v.InMesh(name.Namespace) {
				continue
			}
			for _, port := range service.Ports {
				list = append(list, netip.AddrPortFrom(address, port.Number))
			}
		}
	}
	slices.SortFunc(list, netip.AddrPort.Compare)
	return slices.Compact(list)
}

// indexAddresses adds the virtual addresses of a Service to the index, or removes them.
func (c *Catalog) indexAddresses(service *Service, delta int) {
	for _, address := range service.ClusterIPs {
		updateIndex(c.servicesAt, address, service.Name, delta)
	}
}

// affectOutside affects the addresses and ports outside the mesh if the change of a Service there changes its own.
func (c *Catalog) affectOutside(before, after Entry, affected depSet) {
	var addresses [2][]netip.Addr
	var ports [2][]uint16
	for i, entry := range []Entry{before, after} {
		service, ok := entry.(*Service)
		if !ok {
			continue
		}
		if namespace, known := get[*Namespace](c, KindNamespace, Name{Namespace: service.Name.Namespace}); known && namespace.Monitored {
			return
		}
		addresses[i] = service.ClusterIPs
		for _, port := range service.Ports {
			ports[i] = append(ports[i], port.Number)
		}
	}
	if !slices.Equal(addresses[0], addresses[1]) || len(addresses[0]) > 0 && !slices.Equal(ports[0], ports[1]) {
		affected.add(DepServicesOutside, Name{})
	}
}
