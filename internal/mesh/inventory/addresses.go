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
	return addressesOf(lists.Filter(inv.endpointsOf(service), func(e Endpoint) bool { return e.Pod != (entity.Name{}) }))
}

// HasReadyEndpoint reports whether an endpoint of a Service accepts connections.
func (inv *Inventory) HasReadyEndpoint(service entity.Name) bool {
	return slices.ContainsFunc(inv.endpointsOf(service), func(e Endpoint) bool { return e.Ready })
}

func (inv *Inventory) endpointsOf(service entity.Name) []Endpoint {
	return lists.FlatMap(inv.slicesOf(service), func(slice *EndpointSlice) []Endpoint { return slice.Endpoints })
}

func addressesOf(endpoints []Endpoint) []netip.Addr {
	return lists.UniqueFunc(lists.Map(endpoints, func(e Endpoint) netip.Addr { return e.Address }), netip.Addr.Compare)
}
