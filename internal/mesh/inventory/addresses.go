package inventory

import (
	"net/netip"
	"slices"

	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
)

// Addresses returns the addresses behind a Service, sorted. They need no sidecar: the Service may be a gateway outside the mesh. Addresses of endpoints that
// do not receive new traffic are included, because they may still send requests. Those of endpoints that name no instance are not.
func (inv *Inventory) Addresses(service entity.Name) []netip.Addr {
	var list []netip.Addr
	for _, slice := range inv.slicesOf(service) {
		for _, endpoint := range slice.Endpoints {
			if endpoint.Pod != (entity.Name{}) {
				list = append(list, endpoint.Address)
			}
		}
	}
	return lists.UniqueFunc(list, netip.Addr.Compare)
}

// HasReadyEndpoint reports whether an endpoint of a Service accepts connections.
func (inv *Inventory) HasReadyEndpoint(service entity.Name) bool {
	for _, slice := range inv.slicesOf(service) {
		if slices.ContainsFunc(slice.Endpoints, func(e Endpoint) bool { return e.Ready }) {
			return true
		}
	}
	return false
}
