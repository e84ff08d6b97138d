package envoy

import (
	"fmt"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
)

// All namespaces share the route configurations of a gateway, and Envoy rejects a whole resource for one invalid field. So each part that belongs to
// one namespace is validated by Envoy's rules before it becomes part of a resource. What ingest has checked is valid; this holds for fields that it
// does not know.

// invalidRoute is the answer to requests of a rule that Envoy would reject.
const invalidRoute = "Envoy does not accept the HTTPRoute: see its status\n"

// validRoute returns a route that Envoy accepts. Of an invalid one only the match remains, and requests get status 500; nil without a valid match.
func validRoute(route *routev3.Route) *routev3.Route {
	if route.ValidateAll() == nil {
		return route
	}
	answer := &routev3.Route{Match: route.GetMatch(), Action: directResponse(500, invalidRoute)}
	if answer.ValidateAll() != nil {
		return nil
	}
	return answer
}

// isValidHost reports whether Envoy accepts a virtual host whose routes are valid.
func isValidHost(host *routev3.VirtualHost) bool {
	return (&routev3.VirtualHost{Name: host.GetName(), Domains: host.GetDomains()}).ValidateAll() == nil
}

// ValidateHTTPRoute returns why Envoy would not accept a rule of an HTTPRoute; nil if it accepts all of them. Rules with a known problem are
// not validated: requests that they match are answered with 500.
func ValidateHTTPRoute(route *catalog.HTTPRoute) error {
	for i := range route.Rules {
		rule := &route.Rules[i]
		if rule.Unsupported != "" {
			continue
		}
		for _, match := range rule.Matches {
			if err := routeOf(80, testRoute(match, rule), nil).ValidateAll(); err != nil {
				return fmt.Errorf("rule %d: %w", i+1, err)
			}
		}
	}
	return nil
}

// testRoute returns a match with everything that a rule says.
func testRoute(match catalog.RouteMatch, rule *catalog.HTTPRouteRule) *scope.HTTPRoute {
	r := &scope.HTTPRoute{Match: match, Filters: rule.Filters, Timeout: rule.Timeout, TryTimeout: rule.TryTimeout, Repeat: rule.Repeat}
	r.Backends = []scope.Backend{{Cluster: noBackend, Weight: 1}}
	for _, backend := range rule.Backends {
		r.Backends = append(r.Backends, scope.Backend{Cluster: noBackend, Weight: 1, Filters: backend.Filters})
	}
	for _, mirror := range rule.Filters.Mirrors {
		r.Mirrors = append(r.Mirrors, scope.Mirror{Cluster: noBackend, Numerator: mirror.Numerator, Denominator: mirror.Denominator})
	}
	return r
}
