package catalog

import (
	"net/netip"
	"slices"

	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
)

// ServiceCIDR has ranges from which Kubernetes assigns the virtual addresses of Services.
type ServiceCIDR struct {
	Name   string
	Ranges []netip.Prefix
}

// Ref implements Entry.
func (s *ServiceCIDR) Ref() entity.Ref { return entity.KindServiceCIDR.Ref(entity.Name{Name: s.Name}) }

// Deps implements Entry.
func (s *ServiceCIDR) Deps(list []entity.Dep) []entity.Dep {
	return append(list, entity.Dep{Kind: entity.DepServiceRanges})
}

// ServiceRanges returns the ranges of the virtual addresses of Services, each once and sorted. There are none before Kubernetes 1.33, which does not have
// the kind.
func (v *View) ServiceRanges() []netip.Prefix {
	var ranges []netip.Prefix
	for _, entry := range Find[*ServiceCIDR](v, entity.KindServiceCIDR, entity.Dep{Kind: entity.DepServiceRanges}) {
		ranges = append(ranges, entry.Ranges...)
	}
	return lists.UniqueFunc(ranges, netip.Prefix.Compare)
}

// ServicesOutside returns the virtual addresses and ports of Services that are not in the mesh, sorted. Addresses that are in no range are omitted.
func (v *View) ServicesOutside() []netip.AddrPort {
	v.deps.Add(entity.Dep{Kind: entity.DepServicesOutside})
	ranges := v.ServiceRanges()
	var list []netip.AddrPort
	for address, service := range v.catalog.inventory.VirtualAddresses {
		isInRange := func(r netip.Prefix) bool { return r.Contains(address) }
		if v.InMesh(service.Name.Namespace) || !slices.ContainsFunc(ranges, isInRange) {
			continue
		}
		list = append(list, lists.Map(service.Ports, func(port inventory.Port) netip.AddrPort { return netip.AddrPortFrom(address, port.Number) })...)
	}
	return lists.UniqueFunc(list, netip.AddrPort.Compare)
}

// affectOutside affects the addresses and ports outside the mesh if the change of a Service there changes its own.
func (c *Catalog) affectOutside(before, after Entry, affected entity.DepSet) {
	var addresses [2][]netip.Addr
	var ports [2][]uint16
	for i, entry := range []Entry{before, after} {
		service, ok := entry.(*inventory.Service)
		if !ok {
			continue
		}
		if namespace, known := get[*Namespace](c, entity.KindNamespace, entity.Name{Namespace: service.Name.Namespace}); known && namespace.Monitored {
			return
		}
		addresses[i] = service.ClusterIPs
		ports[i] = lists.Map(service.Ports, func(port inventory.Port) uint16 { return port.Number })
	}
	if !slices.Equal(addresses[0], addresses[1]) || len(addresses[0]) > 0 && !slices.Equal(ports[0], ports[1]) {
		affected.Add(entity.Dep{Kind: entity.DepServicesOutside})
	}
}
