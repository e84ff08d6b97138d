package scope

import (
	"net/netip"
	"slices"

	"github.com/openservicemesh/osm-operator/internal/catalog"
)

// BuildEndpoints makes the endpoints of a key: those that are ready, or when none is, those that still serve while they
// terminate.
func BuildEndpoints(v *catalog.View, key EndpointsKey) Endpoints {
	result := Endpoints{Key: key}
	service := v.Service(key.Service)
	if service == nil {
		return result
	}
	allowed := accounts(key.Identities)
	var ready, terminating []netip.AddrPort
	for _, port := range service.Ports {
		if v.TargetPort(service, port) != key.TargetPort {
			continue
		}
		for _, backend := range v.Backends(service, port) {
			if len(allowed) > 0 && !slices.Contains(allowed, backend.Identity) {
				continue
			}
			if backend.Ready {
				ready = append(ready, backend.Address)
			} else {
				terminating = append(terminating, backend.Address)
			}
		}
	}
	result.Addresses = ready
	if len(ready) == 0 {
		result.Addresses = terminating
	}
	slices.SortFunc(result.Addresses, netip.AddrPort.Compare)
	result.Addresses = slices.Compact(result.Addresses)
	return result
}
