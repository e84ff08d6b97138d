package gateway

import (
	"cmp"
	"slices"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/openservicemesh/osm-operator/internal/catalog"
)

// rulesOf returns the rules for a domain in order of precedence: the most specific hostname, then the most specific match, then the oldest
// route, then the first by name, then the first in the route. The routes are sorted by age and name.
func rulesOf(routes []attachedRoute, domain string) []Rule {
	type candidate struct {
		Rule
		hostname int
	}
	var candidates []candidate
	for _, attached := range routes {
		best := -1
		for _, hostname := range attached.hostnames {
			if includes(hostname, domain) {
				best = max(best, specificity(hostname))
			}
		}
		if best < 0 {
			continue
		}
		for i := range attached.route.Rules {
			rule := &attached.route.Rules[i]
			for _, match := range rule.Matches {
				candidates = append(candidates, candidate{Rule{match, rule, attached.backends[i]}, best})
			}
		}
	}
	slices.SortStableFunc(candidates, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(b.hostname, a.hostname), compareMatches(a.Match, b.Match))
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
