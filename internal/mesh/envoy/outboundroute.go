package envoy

import (
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
)

// routedRequests are the routes of the Gateway API for a port. Requests that none of them matches have status 404 (GEP-1426).
func routedRequests(s *translation, o scope.Outbound, own *retrySettings) []*routev3.Route {
	var routes []*routev3.Route
	for i := range o.HTTPRoutes {
		r := &o.HTTPRoutes[i]
		route := validRoute(routedRequest(o, r, own))
		switch {
		case route == nil:
		case r.Repeat != nil && r.Repeat.Never:
			routes = append(routes, route)
		default:
			routes = appendRoute(routes, route)
		}
	}
	return append(routes, &routev3.Route{Match: anyRequest(), Action: directResponse(404, "no route of this service matches this request\n")})
}

// routedRequest is the route of a match. What the route does not say is as for other requests of the client: the timeout of the UpstreamTrafficSetting,
// and the Retry policy.
func routedRequest(o scope.Outbound, r *scope.HTTPRoute, own *retrySettings) *routev3.Route {
	route := routeOf(o.Port, r, own)
	action := route.GetRoute()
	if action == nil {
		return route
	}
	if r.Timeout == 0 {
		action.Timeout = durationpb.New(requestTimeout(o.Upstream))
	}
	if clientChoosesPod(o, r.Backends) {
		action.ClusterSpecifier = forward(weightedClusters(o, r.Backends), 0, nil).Route.ClusterSpecifier
	}
	return route
}
