package authz_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/upstream"
	. "github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// manyHeaders returns a number of headers with short expressions.
func manyHeaders(number int) []catalog.HeaderMatch {
	var list []catalog.HeaderMatch
	for i := range number {
		list = append(list, catalog.HeaderMatch{Name: fmt.Sprintf("x-%02d", i), Regex: "a"})
	}
	return list
}

// TestRoutesCountByTheirTexts checks that a route with long texts, or with many expressions, counts as several.
func TestRoutesCountByTheirTexts(t *testing.T) {
	long := strings.Repeat("a", 257)
	for name, test := range map[string]struct{ got, want int }{
		"nothing":          {authz.RoutesOf(0), 1},
		"256 bytes":        {authz.RoutesOf(256), 1},
		"257 bytes":        {authz.RoutesOf(257), 2},
		"any request":      {authz.MatchBytes(catalog.HTTPMatch{Name: long}), 0},
		"a path":           {authz.MatchBytes(catalog.HTTPMatch{PathRegex: long, Methods: []string{"GET", "PUT"}}), 257 + 6},
		"short headers":    {authz.MatchBytes(catalog.HTTPMatch{Headers: manyHeaders(16)}), 16 * 128},
		"a long header":    {authz.ExpressionBytes("x", long), 258},
		"several matches":  {authz.RoutesOfMatches([]catalog.HTTPMatch{{PathRegex: "/"}, {PathRegex: long}, {Headers: manyHeaders(16)}}), 1 + 2 + 8},
		"clients":          {authz.RoutesOfClients([]identity.ServiceAccount{SA("a", "b"), SA("a", long)}), 1 + 2},
		"no limit":         {authz.RequestLimitBytes(nil), 0},
		"a limit":          {authz.RequestLimitBytes(&upstream.RequestRateLimit{Headers: []upstream.Header{{Name: "a", Value: long}}}), 256 + 64 + 258},
		"a key":            {authz.RequestDescriptorBytes([]upstream.RequestDescriptor{{{Key: "a", Value: long}}, {{Header: "b"}}}), 64 + 258 + 64 + 1},
		"a matched header": {authz.RequestDescriptorBytes([]upstream.RequestDescriptor{{{Match: []upstream.LimitHeaderMatch{{Name: "a", Value: long}, {Name: "b"}}}}}), 64 + 258 + 128},
		"a connection":     {authz.ConnectionDescriptorBytes([]upstream.ConnectionDescriptor{{{Key: "a", Value: "b"}}, {{Key: "c", Value: long}}}), 64 + 2 + 64 + 258},
	} {
		if test.got != test.want {
			t.Errorf("%s: %d, want %d", name, test.got, test.want)
		}
	}
}

// TestEgressesCountTheirHeaders checks that headers of matches count in the egress gateway and in the sidecars of clients, and so do the clients.
func TestEgressesCountTheirHeaders(t *testing.T) {
	const matches, hosts = 1000, 60
	group := Group("a", "routes")
	for i := range matches {
		group.Matches = append(group.Matches, catalog.HTTPMatch{Name: fmt.Sprint(i), PathRegex: fmt.Sprint("/", i), Headers: manyHeaders(16)})
	}
	policy := &catalog.Egress{
		Name: Name("a", "outside"), Sources: []identity.ServiceAccount{SA("a", "client")}, Ports: []catalog.EgressPort{{Number: 80, Protocol: inventory.ProtocolHTTP}},
		Restricted: true, RouteGroups: []string{"routes"},
	}
	for i := range hosts {
		policy.Hosts = append(policy.Hosts, fmt.Sprintf("h%d.example.com", i))
	}
	entries := []catalog.Entry{&catalog.Settings{EgressPolicies: true}, &catalog.Namespace{Name: "a", Monitored: true}, group, policy}
	const fit = authz.MaxRoutes / (matches * 9) // eight for the headers, one for the path
	restricted := 0
	for _, host := range authz.EgressPorts(Apply(entries...).View(), SA("a", "client"))[0].Hosts {
		if len(host.Matches) > 0 {
			restricted++
		}
	}
	policy.Gateway = &catalog.EgressGateway{}
	if destinations := authz.GatewayDestinations(Apply(entries...).View(), &authz.RouteLimit{}); restricted != fit || len(destinations) != fit {
		t.Errorf("%d hosts in the sidecar and %d in the gateway have their matches, want %d", restricted, len(destinations), fit)
	}
}
