package gateway

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
)

// specificity orders hostnames: names before wildcards, longer before shorter ones.
func specificity(hostname string) int {
	switch {
	case domainOf(hostname) == "*":
		return 0
	case strings.HasPrefix(hostname, "*"):
		return len(hostname)
	default:
		return 1000 + len(hostname)
	}
}

func drawHostname(t *rapid.T) string {
	return rapid.SampledFrom([]string{"", "*", "*.example", "*.b.example", "*.c.b.example", "b.example", "a.b.example", "c.b.example", "ab.example", "x.c.b.example", "example", "a.b"}).Draw(t, "hostname")
}

// TestWider checks that exactly the hostnames that include a domain are found for it, the most specific first.
func TestWider(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		domain := domainOf(drawHostname(t))
		keys := slices.Collect(wider(domain))
		hostname := drawHostname(t)
		if found := slices.Contains(keys, keyOf(hostname)); found != includes(hostname, domain) {
			t.Errorf("%q is found for %q: %t; keys %q", hostname, domain, found, keys)
		}
		other := drawHostname(t)
		i, k := slices.Index(keys, keyOf(hostname)), slices.Index(keys, keyOf(other))
		if i >= 0 && k >= 0 && (i < k) != (specificity(hostname) > specificity(other)) {
			t.Errorf("for %q, %q is number %d, and %q is number %d", domain, hostname, i, other, k)
		}
	})
}

// TestRulesOfARandomIndex compares the index with a search of all routes.
func TestRulesOfARandomIndex(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var routes []attachedRoute
		for i := range rapid.IntRange(0, 6).Draw(t, "routes") {
			route := &catalog.HTTPRoute{Kind: entity.KindHTTPRoute, Name: entity.Name{Name: fmt.Sprint(i)}, Rules: []catalog.HTTPRouteRule{{
				Matches: []catalog.RouteMatch{{Path: fmt.Sprint("/", i)}, {Path: "/common/" + fmt.Sprint(i)}},
			}}}
			attached := attachedRoute{route: route, backends: make([][]Backend, 1)}
			for range rapid.IntRange(1, 3).Draw(t, "hostnames") {
				attached.hostnames = append(attached.hostnames, drawHostname(t))
			}
			routes = append(routes, attached)
		}
		domain := domainOf(drawHostname(t))
		got, want := pathsOf(indexRoutes(routes).rules(domain, true)), searchedRules(routes, domain)
		if !slices.Equal(got, want) {
			t.Errorf("%q has %q, want %q", domain, got, want)
		}
	})
}

func pathsOf(rules []Rule) []string {
	var paths []string
	for _, r := range rules {
		paths = append(paths, r.Match.Path)
	}
	return paths
}

// searchedRules returns the paths of the rules for a domain, from all routes.
func searchedRules(routes []attachedRoute, domain string) []string {
	type candidate struct {
		path        string
		specificity int
	}
	var all []candidate
	for _, attached := range routes {
		best := -1
		for _, hostname := range attached.hostnames {
			if includes(hostname, domain) {
				best = max(best, specificity(hostname))
			}
		}
		for _, match := range attached.route.Rules[0].Matches {
			if best >= 0 {
				all = append(all, candidate{match.Path, best})
			}
		}
	}
	slices.SortStableFunc(all, func(a, b candidate) int {
		if a.specificity != b.specificity {
			return b.specificity - a.specificity
		}
		return len(b.path) - len(a.path)
	})
	var paths []string
	for _, c := range all {
		paths = append(paths, c.path)
	}
	return paths
}
