package catalog

import (
	"slices"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
)

// HTTPRoute is a route of any kind of the Gateway API (gateway.networking.k8s.io). It routes requests that a Gateway receives, or that sidecars send to
// a Service. A TLSRoute or TCPRoute routes connections: it has one rule, with a match of everything.
type HTTPRoute struct {
	// Kind is one of RouteKinds. The methods of a GRPCRoute are paths.
	Kind    entity.Kind
	Name    entity.Name
	Created time.Time
	// Parents are the Gateways and Services among its parents, in their order.
	Parents []RouteParent
	// Hostnames restrict the hosts of Gateways; empty means those of the listener. They have no effect on requests to Services, whose address decides.
	// Those of a TLSRoute, in lower case, are the server names of connections that it selects.
	Hostnames []string
	Rules     []HTTPRouteRule
	// Ignored are the fields that are set and have no effect, sorted.
	Ignored []string
}

// Ref implements Entry.
func (r *HTTPRoute) Ref() entity.Ref { return r.Kind.Ref(r.Name) }

// Deps implements Entry.
func (r *HTTPRoute) Deps(list []entity.Dep) []entity.Dep {
	inMesh := false
	for _, parent := range r.Parents {
		switch {
		case parent.Service == entity.Name{}:
			list = append(list, entity.Dep{Kind: entity.DepGateways})
			continue
		case parent.Service.Namespace != r.Name.Namespace:
			list = append(list, entity.DepConsumerRoutes.In(r.Name.Namespace))
		}
		list, inMesh = append(list, entity.DepSplit.Of(parent.Service)), true
	}
	if !inMesh {
		return list
	}
	for i := range r.Rules {
		for _, backend := range r.Rules[i].References() {
			list = append(list, entity.DepSplitsWith.Of(backend.Service))
		}
	}
	return list
}

// Attaches reports whether a port of a Service is a parent of the route, and has a protocol of its kind.
func (r *HTTPRoute) Attaches(service entity.Name, port inventory.Port) bool {
	return routesPort(r.Kind, port) && slices.ContainsFunc(r.Parents, func(p RouteParent) bool { return p.Service == service && p.Selects(port) })
}

// HasParent reports whether a Service is among the parents, with any of its ports.
func (r *HTTPRoute) HasParent(service entity.Name) bool {
	return slices.ContainsFunc(r.Parents, func(p RouteParent) bool { return p.Service == service })
}

// HasGateway reports whether a Gateway is among the parents.
func (r *HTTPRoute) HasGateway() bool {
	return slices.ContainsFunc(r.Parents, func(p RouteParent) bool { return p.Gateway != entity.Name{} })
}

// RouteParent refers to a Gateway or to some of its listeners, or to a Service or one of its ports.
type RouteParent struct {
	// Gateway is empty for a Service, and Service for a Gateway.
	Gateway, Service entity.Name
	// Section is the name of a listener, or of a port of the Service; empty means any.
	Section string
	// Port is that of listeners or of the Service; 0 means any.
	Port uint16
}

// Selects reports whether a parent that is a Service includes a port of it.
func (p RouteParent) Selects(port inventory.Port) bool {
	return (p.Port == 0 || p.Port == port.Number) && (p.Section == "" || p.Section == port.Name)
}
