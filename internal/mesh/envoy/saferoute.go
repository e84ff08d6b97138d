package envoy

import (
	"slices"
	"strings"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	"google.golang.org/protobuf/proto"

	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
)

// appendRoute adds a route of a destination. A sidecar of Open Service Mesh ends as soon as its pod is being deleted, and resets the requests that it has not
// answered. Those without side effects are repeated then, by a route of their own: Envoy restricts a whole retry policy to some methods, or nothing of it.
func appendRoute(routes []*routev3.Route, o *scope.Outbound, route *routev3.Route) []*routev3.Route {
	if o.EndsRequests && forwardsWithoutResets(route) {
		routes = append(routes, safeRoute(route))
	}
	return append(routes, route)
}

// forwardsWithoutResets reports whether a route forwards requests, and does not repeat those that a server has reset.
func forwardsWithoutResets(route *routev3.Route) bool {
	retry := route.GetRoute().GetRetryPolicy()
	// Envoy counts a reset as such a status.
	repeats := func(condition string) bool {
		return condition == "reset" || condition == "5xx" || condition == "gateway-error"
	}
	return retry != nil && !slices.ContainsFunc(strings.Split(retry.GetRetryOn(), ","), repeats)
}

// safeRoute is a route for those of its requests that have no side effects. They are repeated after a reset too.
func safeRoute(route *routev3.Route) *routev3.Route {
	safe := proto.CloneOf(route)
	safe.Match.Headers = append(safe.Match.Headers, safeMethods)
	safe.GetRoute().RetryPolicy.RetryOn += ",reset"
	return safe
}
