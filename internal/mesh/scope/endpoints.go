package scope

import (
	"slices"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
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
	var ready, terminating []catalog.Backend
	for _, port := range service.Ports {
		if v.TargetPort(service, port) != key.TargetPort {
			continue
		}
		for _, backend := range v.Backends(service, port) {
			if len(allowed) > 0 && !slices.Contains(allowed, backend.Identity) {
				continue
			}
			if backend.Ready {
				ready = append(ready, backend)
			} else {
				terminating = append(terminating, backend)
			}
		}
	}
	usable := ready
	if len(ready) == 0 {
		usable = terminating
	}
	slices.SortFunc(usable, func(a, b catalog.Backend) int { return a.Address.Compare(b.Address) })
	usable = slices.CompactFunc(usable, func(a, b catalog.Backend) bool { return a.Address == b.Address })
	for _, backend := range usable {
		result.Addresses = append(result.Addresses, backend.Address)
		result.Workloads = append(result.Workloads, backend.Workload)
	}
	return result
}
