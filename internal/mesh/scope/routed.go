package scope

import (
	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/gateway"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
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
	if rule.Routed.Route.Kind.RoutesConnections() {
		return weightOfConnections(rule)
	}
	return gateway.WeightOfMatch(rule.Routed.Match, rule.Routed.Rule, len(rule.Backends))
}

// addRouted adds a match of a route. The last rule of a port adds none: sidecars answer 404 if no other applies, and close connections.
func (o outboundBuilder) addRouted(out *Outbound, rule authz.RouteRule, clusters clusterNames) {
	out.Routed = true
	routed := rule.Routed
	switch {
	case routed.Rule == nil:
		return
	case routed.Route.Kind.RoutesConnections():
		o.addConnectionRoute(out, rule)
		return
	}
	resolve := func(v *catalog.View, route *catalog.HTTPRoute, ref catalog.RouteBackend) (authz.ResolvedBackend, authz.BackendProblem) {
		return authz.ResolveBackend(v, out.Service, route, ref)
	}
	route := o.newRoute(routed.Route, routed.Rule, *routed.Match, resolve, o.addCluster)
	route.Weight, route.source = weightOfRouted(rule), routed.Match
	route.Backends = o.routedBackends(rule, clusters)
	out.HTTPRoutes = append(out.HTTPRoutes, route)
}

// clusterNames are the names of the clusters that rules of one port have added: many have the same backends.
type clusterNames map[clusterSource]string

type clusterSource struct {
	service    entity.Name
	targetPort uint16
	protocol   inventory.Protocol
}

// add adds the cluster of a backend, once, and returns its name.
func (c clusterNames) add(o outboundBuilder, backend authz.WeightedBackend) string {
	source := clusterSource{backend.Service.Name, backend.TargetPort, backend.Protocol}
	name, known := c[source]
	if !known {
		name = o.addCluster(backend)
		c[source] = name
	}
	return name
}

// routedBackends returns the backends of a rule. One without a cluster stands for those that cannot be used.
func (o outboundBuilder) routedBackends(rule authz.RouteRule, clusters clusterNames) []Backend {
	var backends []Backend
	routed, shares := rule.Routed, peerSharesOf(rule.Backends)
	for i, backend := range rule.Backends {
		for _, part := range o.dividedBackend(backend, clusters.add(o, backend), "", shares) {
			part.Filters = routed.Rule.Backends[routed.References[i]].Filters
			backends = append(backends, part)
		}
	}
	if routed.Unusable > 0 {
		backends = append(backends, Backend{Weight: shares.part(routed.Unusable, catalog.WholeShare)})
	}
	return backends
}

// backendResolver returns what a route may refer to.
type backendResolver func(*catalog.View, *catalog.HTTPRoute, catalog.RouteBackend) (authz.ResolvedBackend, authz.BackendProblem)

// newRoute returns a match of a rule without its backends. addCluster adds the clusters of copies of requests.
func (o outboundBuilder) newRoute(
	route *catalog.HTTPRoute, rule *catalog.HTTPRouteRule, match catalog.RouteMatch, resolve backendResolver, addCluster func(authz.WeightedBackend) string,
) HTTPRoute {
	out := HTTPRoute{
		Match: match, Filters: rule.Filters, Unsupported: rule.Unsupported != "", Timeout: rule.Timeout, TryTimeout: rule.TryTimeout, Repeat: rule.Repeat, Session: rule.Session,
	}
	for _, mirror := range rule.Filters.Mirrors {
		if backend, ok := o.mirrorBackend(resolve(o.view, route, mirror.Backend)); ok {
			out.Mirrors = append(out.Mirrors, Mirror{addCluster(backend), mirror.Numerator, mirror.Denominator})
		}
	}
	return out
}

// mirrorBackend returns the destination of copies of requests. It returns false if the Service does not exist, or if the client may not call it.
func (o outboundBuilder) mirrorBackend(resolved authz.ResolvedBackend, problem authz.BackendProblem) (authz.WeightedBackend, bool) {
	if problem != "" {
		return authz.WeightedBackend{}, false
	}
	return authz.BackendFor(o.view, o.client, resolved)
}
