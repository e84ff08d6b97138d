package catalog

import (
	"slices"
	"time"
)

// HTTPRoute is a route of any kind of the Gateway API (gateway.networking.k8s.io). It routes requests that a Gateway receives, or that sidecars send to
// a Service. A TLSRoute or TCPRoute routes connections: it has one rule, with a match of everything.
type HTTPRoute struct {
	// Kind is one of RouteKinds. The methods of a GRPCRoute are paths.
	Kind    Kind
	Name    Name
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
func (r *HTTPRoute) Ref() Ref { return Ref{r.Kind, r.Name} }

// Deps implements Entry.
func (r *HTTPRoute) Deps(list []Dep) []Dep {
	inMesh := false
	for _, parent := range r.Parents {
		switch {
		case parent.Service == Name{}:
			list = append(list, Dep{Kind: DepGateways})
			continue
		case parent.Service.Namespace != r.Name.Namespace:
			list = append(list, Dep{DepConsumerRoutes, Name{Namespace: r.Name.Namespace}})
		}
		list, inMesh = append(list, Dep{DepSplit, parent.Service}), true
	}
	if !inMesh {
		return list
	}
	for i := range r.Rules {
		for _, backend := range r.Rules[i].References() {
			list = append(list, Dep{DepSplitsWith, backend.Service})
		}
	}
	return list
}

// Attaches reports whether a port of a Service is a parent of the route, and has a protocol of its kind.
func (r *HTTPRoute) Attaches(service Name, port Port) bool {
	return r.Kind.routes(port) && slices.ContainsFunc(r.Parents, func(p RouteParent) bool { return p.Service == service && p.Selects(port) })
}

// HasParent reports whether a Service is among the parents, with any of its ports.
func (r *HTTPRoute) HasParent(service Name) bool {
	return slices.ContainsFunc(r.Parents, func(p RouteParent) bool { return p.Service == service })
}

// HasGateway reports whether a Gateway is among the parents.
func (r *HTTPRoute) HasGateway() bool {
	return slices.ContainsFunc(r.Parents, func(p RouteParent) bool { return p.Gateway != Name{} })
}

// RouteParent refers to a Gateway or to some of its listeners, or to a Service or one of its ports.
type RouteParent struct {
	// Gateway is empty for a Service, and Service for a Gateway.
	Gateway, Service Name
	// Section is the name of a listener, or of a port of the Service; empty means any.
	Section string
	// Port is that of listeners or of the Service; 0 means any.
	Port uint16
}

// Selects reports whether a parent that is a Service includes a port of it.
func (p RouteParent) Selects(port Port) bool {
	return (p.Port == 0 || p.Port == port.Number) && (p.Section == "" || p.Section == port.Name)
}
