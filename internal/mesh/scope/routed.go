package scope

import (
	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/gateway"
)

// admitRouted reports whether a match of a route of the Gateway API is within the limit. Requests of one beyond it have the next match, or status 404.
func (o outboundBuilder) admitRouted(rule authz.RouteRule) bool {
	routed := rule.Routed
	if routed.Rule == nil {
		return true
	}
	return o.limit.AdmitPolicyFor(o.client.Namespace, routed.Route.Ref(), weightOfRouted(rule))
}

// weightOfRouted counts the routes of a match: one for each backend, and more for long texts.
func weightOfRouted(rule authz.RouteRule) int {
	return gateway.WeightOfMatch(rule.Routed.Match, rule.Routed.Rule, len(rule.Backends))
}

// addRouted adds a match of a route. The last rule of a port adds none: sidecars answer 404 if no other applies.
func (o outboundBuilder) addRouted(out *Outbound, rule authz.RouteRule) {
	out.Routed = true
	routed := rule.Routed
	if routed.Rule == nil {
		return
	}
	route := GatewayRoute{Match: *routed.Match, Filters: routed.Rule.Filters, Unsupported: routed.Rule.Unsupported != "", Timeout: routed.Rule.Timeout, Weight: weightOfRouted(rule)}
	for _, backend := range rule.Backends {
		route.Backends = append(route.Backends, Backend{Cluster: o.addCluster(backend), Weight: backend.Weight})
	}
	if routed.Unusable > 0 {
		route.Backends = append(route.Backends, Backend{Weight: routed.Unusable})
	}
	out.HTTPRoutes = append(out.HTTPRoutes, route)
}
