package scope

import (
	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
)

// ConnectionRoute selects connections of a port of a Service.
type ConnectionRoute struct {
	// Route is the TLSRoute or TCPRoute.
	Route entity.Ref
	// ServerNames are those that clients may ask for, sorted: names and wildcards such as "*.example.com". Empty selects all connections.
	ServerNames []string
	// Backends receive the connections by weight. The share of one without a Cluster is closed.
	Backends []Backend
}

// addConnectionRoute adds the rule of a TLSRoute or TCPRoute.
func (o outboundBuilder) addConnectionRoute(out *Outbound, rule authz.RouteRule) {
	out.ConnectionRoutes = append(out.ConnectionRoutes, ConnectionRoute{
		Route: rule.Routed.Route.Ref(), ServerNames: rule.Routed.ServerNames, Backends: o.routedBackends(rule, clusterNames{}),
	})
}

// weightOfConnections counts the server names and backends of a route: sidecars have a table of names, and one filter for the backends.
func weightOfConnections(rule authz.RouteRule) int {
	weight := max(1, len(rule.Backends))
	for _, name := range rule.Routed.ServerNames {
		weight += authz.RoutesOf(len(name))
	}
	return weight
}

// weight is what a ConnectionRoute counts within authz.MaxRoutes.
func (r *ConnectionRoute) weight() int { return max(1, len(r.Backends)) + len(r.ServerNames) }
