package translate

import (
	"slices"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
)

// keepForGateways reports Gateways whose requests a Service receives: the ingress gateway applies TrafficSplits to them, and no routes of Services.
func (t *toRoutes) keepForGateways(root entity.Name, found *obstacles) {
	for _, kind := range []entity.Kind{entity.KindHTTPRoute, entity.KindGRPCRoute} {
		for _, r := range entriesOf[*catalog.HTTPRoute](t.loaded, kind) {
			if r.HasGateway() && sendsTo(r, root) {
				found.keep(entity.Ref{}, "Keep it for the requests of Gateways: the %s %s sends them to Service %s, and routes of the Service do not apply to them. Before you delete it, name its backends in that route.", r.Kind, r.Name, root.Name)
			}
		}
	}
}

func sendsTo(r *catalog.HTTPRoute, service entity.Name) bool {
	return slices.ContainsFunc(r.Rules, func(rule catalog.HTTPRouteRule) bool {
		return slices.ContainsFunc(rule.References(), func(b catalog.RouteBackend) bool { return b.Service == service })
	})
}
