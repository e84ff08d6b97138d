package authz

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
)

// Rules are the clients and requests that one workload identity allows on one of its ports.
type Rules struct {
	// Permissive allows every identity of the mesh. Network is then empty and Routes has one route that matches
	// everything.
	Permissive bool
	// Network lists who may connect, one rule per TrafficTarget, sorted by policy. When it is empty and Permissive is
	// false, nobody may.
	Network []NetworkRule
	// Routes lists who may send which requests (HTTP ports only), most specific first. A request that matches no route
	// is denied.
	Routes []Route
}

// NetworkRule allows sources to connect because of one policy.
type NetworkRule struct {
	// Policy is "<namespace>/<name>" of the TrafficTarget.
	Policy string
	// Sources are sorted.
	Sources []identity.ServiceAccount
}

// Route allows sources to send the requests that match. It is the union of the policies that grant the same match.
type Route struct {
	Match catalog.HTTPMatch
	// AnySource is true where the mesh or the namespace is permissive.
	AnySource bool
	// Sources are sorted.
	Sources []identity.ServiceAccount
	// Policies are the TrafficTargets ("<namespace>/<name>", sorted) that grant this match.
	Policies []string
}

// rulesKey identifies the rules that some TrafficTargets grant on a port.
type rulesKey struct {
	// policies are the names of the targets, joined by commas.
	policies string
	http     bool
}

// rulesOf returns what some grants allow. All ports with the same grants share one result, which nobody may change: the number of ports does not
// multiply with that of the matches.
func rulesOf(v *catalog.View, grants []grant, http bool) Rules {
	if len(grants) == 0 {
		return Rules{}
	}
	return v.Memo(rulesKey{joinPolicies(grants), http}, func() any {
		var rules Rules
		for _, g := range grants {
			rules.Network = append(rules.Network, NetworkRule{Policy: g.target.Name.String(), Sources: sortedUnique(g.target.Sources)})
		}
		if http {
			rules.Routes = routesOf(grants)
		}
		return rules
	}).(Rules)
}

func joinPolicies(grants []grant) string {
	var text strings.Builder
	for _, g := range grants {
		text.WriteString(g.target.Name.String() + ",")
	}
	return text.String()
}

// grantedMatch is a match and the grants that contain it.
type grantedMatch struct {
	key    string
	match  catalog.HTTPMatch
	grants []grant
}

// routesOf returns one route for each distinct match, the most specific first.
func routesOf(grants []grant) []Route {
	matches := map[string]*grantedMatch{}
	for _, g := range grants {
		for _, match := range g.matches {
			match.Name = ""
			key := matchKey(match)
			m := matches[key]
			if m == nil {
				m = &grantedMatch{key: key, match: match}
				matches[key] = m
			}
			if last := len(m.grants) - 1; last < 0 || m.grants[last].target != g.target {
				m.grants = append(m.grants, g)
			}
		}
	}
	sorted := slices.SortedFunc(maps.Values(matches), func(a, b *grantedMatch) int {
		return cmp.Or(cmp.Compare(specificity(b.match), specificity(a.match)), cmp.Compare(a.key, b.key))
	})
	var routes []Route
	shared := map[string]Route{}
	for _, m := range sorted {
		route := m.route(shared)
		route.Match = m.match
		routes = append(routes, route)
	}
	return routes
}

// route returns a route without its match. Matches with the same grants share the lists of sources and policies: both lists can be long.
func (m *grantedMatch) route(shared map[string]Route) Route {
	key := joinPolicies(m.grants)
	route, known := shared[key]
	if !known {
		for _, g := range m.grants {
			route.Sources = append(route.Sources, g.target.Sources...)
			route.Policies = append(route.Policies, g.target.Name.String())
		}
		route.Sources = sortedUnique(route.Sources)
		slices.Sort(route.Policies)
		shared[key] = route
	}
	return route
}

func sortedUnique(sources []identity.ServiceAccount) []identity.ServiceAccount {
	unique := map[identity.ServiceAccount]struct{}{}
	for _, source := range sources {
		unique[source] = struct{}{}
	}
	return slices.SortedFunc(maps.Keys(unique), identity.ServiceAccount.Compare)
}

// specificity is the number of conditions of a match. Routes with more conditions come first, so that their order does not depend on names.
func specificity(m catalog.HTTPMatch) int {
	n := len(m.Headers)
	if m.PathRegex != "" && m.PathRegex != ".*" {
		n++
	}
	if len(m.Methods) > 0 {
		n++
	}
	return n
}

// matchKey is equal for matches with the same expressions, whatever their names. Parts are quoted to keep them apart.
func matchKey(m catalog.HTTPMatch) string {
	var key strings.Builder
	key.WriteString(strconv.Quote(m.PathRegex))
	for _, method := range m.Methods {
		key.WriteByte(' ')
		key.WriteString(strconv.Quote(method))
	}
	for _, header := range m.Headers {
		key.WriteByte('\n')
		key.WriteString(strconv.Quote(header.Name))
		key.WriteByte('=')
		key.WriteString(strconv.Quote(header.Regex))
	}
	return key.String()
}
