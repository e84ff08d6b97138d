package scope

import (
	"net/netip"
	"slices"

	"github.com/openservicemesh/osm-operator/internal/catalog"
)

// BuildEndpoints returns the endpoints of a key: the ready ones, or, when none is ready, the terminating ones that
// still serve.
func BuildEndpoints(v *catalog.View, key EndpointsKey) Endpoints {
	result := Endpoints{Key: key}
	service := v.Service(key.Service)
	if service == nil {
		return result
	}
	allowed := parseAccounts(key.Identities)
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
