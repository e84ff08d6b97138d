package gateway

import (
	"cmp"
	"maps"
	"slices"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
)

// routeIndex finds the routes of a listener by their hostnames.
type routeIndex struct {
	routes []attachedRoute
	// positions are those of the routes with a hostname, by its key, and sizes is the size of these routes.
	positions map[string][]int
	sizes     map[string]int
}

func indexRoutes(routes []attachedRoute) routeIndex {
	x := routeIndex{routes: routes, positions: map[string][]int{}, sizes: map[string]int{}}
	for i, attached := range routes {
		for _, hostname := range attached.hostnames {
			key := keyOf(hostname)
			x.positions[key] = append(x.positions[key], i)
			x.sizes[key] += sizeOf(attached.route)
		}
	}
	return x
}

// rules returns the rules for a domain in order of precedence: the most specific hostname, then the most specific match, then the oldest
// route, then the first by name, then the first in the route. The routes are sorted by age and name. Without inheritance, only the rules of
// routes with exactly this hostname are returned.
func (x routeIndex) rules(domain string, inherits bool) []Rule {
	type candidate struct {
		Rule
		rank int
	}
	ranks := map[int]int{}
	rank := 0
	for key := range wider(domain) {
		for _, i := range x.positions[key] {
			if _, known := ranks[i]; !known {
				ranks[i] = rank
			}
		}
		if rank++; !inherits {
			break
		}
	}
	var candidates []candidate
	for _, i := range slices.Sorted(maps.Keys(ranks)) {
		attached := x.routes[i]
		for k := range attached.route.Rules {
			rule := &attached.route.Rules[k]
			for _, match := range rule.Matches {
				candidates = append(candidates, candidate{Rule{match, rule, attached.backends[k]}, ranks[i]})
			}
		}
	}
	slices.SortStableFunc(candidates, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(a.rank, b.rank), compareMatches(a.Match, b.Match))
	})
	var rules []Rule
	for _, c := range candidates {
		rules = append(rules, c.Rule)
	}
	return rules
}

// compareMatches orders matches as the Gateway API: exact paths, then longer prefixes, then methods, then more headers, then more query
// parameters. Expressions come before prefixes.
func compareMatches(a, b catalog.RouteMatch) int {
	hasMethod := func(m catalog.RouteMatch) int { return min(len(m.Method), 1) }
	return cmp.Or(
		cmp.Compare(pathRank(a), pathRank(b)),
		cmp.Compare(len(b.Path), len(a.Path)),
		cmp.Compare(hasMethod(b), hasMethod(a)),
		cmp.Compare(len(b.Headers), len(a.Headers)),
		cmp.Compare(len(b.Query), len(a.Query)),
	)
}

func pathRank(m catalog.RouteMatch) int {
	switch gatewayv1.PathMatchType(m.PathType) {
	case gatewayv1.PathMatchExact:
		return 0
	case gatewayv1.PathMatchRegularExpression:
		return 1
	default:
		return 2
	}
}
