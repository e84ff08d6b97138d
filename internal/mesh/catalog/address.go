package catalog

import (
	"net/netip"
	"slices"

	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
)

// ServicePort is a port of a Service.
type ServicePort struct {
	Service entity.Name
	Number  uint16
}

// ServicesAt returns the Services of the mesh at some addresses: those with the virtual address, or else those of the pod with the address and the
// target port. Of several it returns the first by name. Addresses of no Service are missing. It takes time for each Service of the mesh.
func (v *View) ServicesAt(addresses []netip.AddrPort) map[netip.AddrPort]ServicePort {
	asked := map[netip.AddrPort]bool{}
	for _, a := range addresses {
		asked[a] = true
	}
	found := map[netip.AddrPort]ServicePort{}
	add := func(a netip.AddrPort, port ServicePort) {
		if _, known := found[a]; !known && asked[a] {
			found[a] = port
		}
	}
	for _, name := range v.Services() {
		service := v.Service(name)
		for _, port := range service.Ports {
			for _, ip := range service.ClusterIPs {
				add(netip.AddrPortFrom(ip, port.Number), ServicePort{name, port.Number})
			}
		}
	}
	for a := range asked {
		for _, name := range v.servicesOfAddress(a.Addr()) {
			service := v.Service(name)
			for _, port := range service.Ports {
				if slices.Contains(v.TargetPorts(service, port), a.Port()) {
					add(a, ServicePort{name, port.Number})
				}
			}
		}
	}
	return found
}

// servicesOfAddress returns the Services of the mesh that select the running pod with an address, sorted.
func (v *View) servicesOfAddress(address netip.Addr) []entity.Name {
	var names []entity.Name
	for _, name := range v.catalog.inventory.RunningAt(address) {
		if pod := v.Pod(name); pod != nil {
			names = append(names, v.ServicesOfPod(pod)...)
		}
	}
	return lists.UniqueFunc(names, entity.Name.Compare)
}
