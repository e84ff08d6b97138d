package inventory

import (
	"net/netip"

	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
)

// EndpointSlice is part of the endpoints of a Service.
type EndpointSlice struct {
	Name    entity.Name
	Service entity.Name
	// Ports maps the names of the Service's ports to the endpoints' port numbers.
	Ports     map[string]uint16
	Endpoints []Endpoint
}

// Ref implements Entry.
func (s *EndpointSlice) Ref() entity.Ref { return entity.KindEndpointSlice.Ref(s.Name) }

// Deps implements Entry.
func (s *EndpointSlice) Deps(list []entity.Dep) []entity.Dep {
	return append(list, entity.DepEndpoints.Of(s.Service))
}

// Endpoint is one address behind a Service. Its identity comes from its pod only.
type Endpoint struct {
	Address netip.Addr
	// Pod is empty if the endpoint names none. Then it can count only behind a Service without a selector.
	Pod entity.Name
	// Ready is true when the endpoint accepts new traffic. Terminating endpoints are used when no other is ready.
	Ready       bool
	Terminating bool
}
