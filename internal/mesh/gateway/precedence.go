package gateway

import (
	"cmp"
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
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
			x.sizes[key] += attached.size
		}
	}
	return x
}

// rules returns the rules for a domain in order of precedence: the most specific hostname, then those of GRPCRoutes, then the most specific match,
// then the oldest route, then the first by name, then the first in the route. The routes are sorted by age and name. Without inheritance, only the
// rules of routes with exactly this hostname are returned.
func (x routeIndex) rules(domain string, inherits bool) []Rule {
	type candidate struct {
		Rule
		rank int
		// match is that of the route, which the order depends on.
		match catalog.RouteMatch
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
				candidates = append(candidates, candidate{
					Rule{ofKind(attached.route.Kind, match), attached.route, rule, attached.backends[k]},
					ranks[i],
					match,
				})
			}
		}
	}
	slices.SortStableFunc(candidates, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(a.rank, b.rank), cmp.Compare(a.Route.Kind, b.Route.Kind), catalog.CompareRouteMatches(a.match, b.match))
	})
	return lists.Map(candidates, func(c candidate) Rule { return c.Rule })
}

// isGRPC matches the requests of gRPC, whose content type is application/grpc, with or without the name of a format.
var isGRPC = catalog.ValueMatch{Name: "content-type", Value: `application/grpc(\+.*)?`, Regex: true}

// ofKind returns a match for a kind of routes: a GRPCRoute applies only to requests of gRPC. So a host can have both kinds, and they are not merged: of the
// routes with the same hostname, those of GRPCRoutes come first.
func ofKind(kind entity.Kind, match catalog.RouteMatch) catalog.RouteMatch {
	if kind == entity.KindGRPCRoute {
		match.Headers = append(slices.Clip(match.Headers), isGRPC)
	}
	return match
}

// domainOf returns the domain of a hostname; "*" for an empty one.
func domainOf(hostname string) string { return cmp.Or(hostname, "*") }

// includes reports whether a hostname includes a domain: both are equal, or the hostname is a wildcard for it, or empty.
func includes(hostname, domain string) bool {
	hostname = domainOf(hostname)
	if hostname == "*" || hostname == domain {
		return true
	}
	suffix, wildcard := strings.CutPrefix(hostname, "*")
	return wildcard && strings.HasSuffix(strings.TrimPrefix(domain, "*"), suffix) && domain != "*"
}

// keyOf identifies a hostname: a name as it is, "*.example" as ".example", and every host as "".
func keyOf(hostname string) string { return strings.TrimPrefix(hostname, "*") }

// wider returns the keys of the hostnames that include a domain, the most specific first. The first one is that of the domain itself.
func wider(domain string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for key := keyOf(domain); key != ""; {
			if !yield(key) {
				return
			}
			dot := strings.IndexByte(key[1:], '.')
			if dot < 0 {
				break
			}
			key = key[1+dot:]
		}
		yield("")
	}
}

// DomainsOf returns the domains of hosts that include a domain, the most specific first: itself, wildcards, and "*".
func DomainsOf(domain string) []string {
	list := []string{domain}
	for key := range wider(domain) {
		isWildcard := key == "" || key[0] == '.'
		if isWildcard && "*"+key != domain {
			list = append(list, "*"+key)
		}
	}
	return list
}

// commonHostnames returns the hosts that a listener and a route have in common. An empty name stands for all.
func commonHostnames(listener string, route []string) []string {
	if len(route) == 0 {
		return []string{listener}
	}
	var common []string
	for _, hostname := range route {
		switch {
		case includes(listener, hostname):
			common = append(common, hostname)
		case includes(hostname, listener):
			common = append(common, listener)
		}
	}
	return common
}
