package scope

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/telemetry"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/upstream"
	"github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// TestEstimateCountsEachPart checks as how many routes, filter chains and clusters the parts of a scope count.
func TestEstimateCountsEachPart(t *testing.T) {
	matches := []catalog.HTTPMatch{{PathRegex: "/a"}, {PathRegex: "/b"}}
	twice := []catalog.HTTPMatch{{PathRegex: "/a"}, {PathRegex: "/b"}}
	outbound := func(o Outbound) *Scope { return &Scope{Sidecar: Sidecar{Outbound: []Outbound{o}}} }
	hosts := func(lists ...[]catalog.HTTPMatch) *Scope {
		port := authz.EgressPort{}
		for _, list := range lists {
			port.Hosts = append(port.Hosts, authz.EgressHost{Matches: list})
		}
		return &Scope{Sidecar: Sidecar{EgressPorts: []authz.EgressPort{port}}}
	}
	inbound := Inbound{Rules: authz.Rules{Network: []authz.NetworkRule{{Sources: []identity.ServiceAccount{meshtest.SA("a", "b")}}}}, Limits: &Limits{}}
	for name, test := range map[string]struct {
		scope                    *Scope
		routes, chains, clusters int
	}{
		"nothing":                     {&Scope{}, 0, 0, 0},
		"clusters":                    {&Scope{Common: Common{Clusters: make([]Cluster, 3)}}, 0, 0, 3},
		"a client and limits":         {&Scope{Sidecar: Sidecar{Inbound: []Inbound{inbound}}}, authz.RoutesOfClients(inbound.Rules.Network[0].Sources) + authz.RoutesOf(0), 1, 0},
		"clients outside the mesh":    {&Scope{Sidecar: Sidecar{Ingress: []Ingress{{Matches: matches, Prefixes: make([]netip.Prefix, 3), Principals: make([]string, 4)}}}}, 9, 1, 0},
		"backends":                    {outbound(Outbound{Backends: make([]Backend, 3)}), 3, 1, 0},
		"routes":                      {outbound(Outbound{HTTPRoutes: []HTTPRoute{{Weight: 3}, {Weight: 4}}}), 7, 1, 0},
		"routes of connections":       {outbound(Outbound{ConnectionRoutes: []ConnectionRoute{{ServerNames: make([]string, 3), Backends: make([]Backend, 2)}, {}, {}}}), 7, 3, 0},
		"a TrafficSplit with matches": {outbound(Outbound{Routes: []OutboundRoutes{{Matches: matches, Backends: make([]Backend, 3)}}}), 8, 1, 0},
		"hosts":                       {hosts(matches, twice), 4, 3, 0},
		"hosts with one list":         {hosts(matches, matches), 4, 3, 0},
		"ranges": {
			&Scope{Sidecar: Sidecar{EgressPorts: []authz.EgressPort{{Ranges: []authz.EgressRange{{ServerNames: make([]string, 2)}, {}}}, {}}}}, 0, 6, 0,
		},
		"a listener of several ports": {loading(direct(), direct(tcp)), 2, 1, 0},
	} {
		if got, want := test.scope.EstimatedBytes(), test.routes*bytesPerRoute+test.chains*bytesPerChain+test.clusters*bytesPerCluster; got != want {
			t.Errorf("%s: %d bytes, want %d", name, got, want)
		}
	}
}

// TestPortWeights checks what an inbound port counts, and that ports with different rules or limits do not share their weight.
func TestPortWeights(t *testing.T) {
	clients := []identity.ServiceAccount{meshtest.SA("a", "one"), meshtest.SA("a", "two")}
	routes := []authz.Route{{Sources: clients, Match: catalog.HTTPMatch{PathRegex: "/a"}}, {Sources: clients, Match: catalog.HTTPMatch{PathRegex: "/b"}}, {}}
	long := strings.Repeat("x", 10_000)
	header := upstream.RequestRateLimit{Headers: []upstream.Header{{Name: "x", Value: long}}}
	descriptors := []upstream.RequestDescriptor{{{Key: "x", Value: long}}}
	size, descriptorSize := authz.RequestLimitBytes(&header), authz.RequestDescriptorBytes(descriptors)
	for name, test := range map[string]struct {
		limits *Limits
		want   int
	}{
		"none":                 {nil, 0},
		"no bytes":             {&Limits{}, authz.RoutesOf(0)},
		"requests":             {&Limits{Requests: &header}, authz.RoutesOf(size)},
		"a route":              {&Limits{Routes: []upstream.RouteRateLimit{{Path: "/a", Limit: header}}}, authz.RoutesOf(0) + authz.RoutesOf(size)},
		"another route":        {&Limits{Routes: []upstream.RouteRateLimit{{Path: "/c", Limit: header}}}, authz.RoutesOf(0)},
		"twice a route":        {&Limits{Routes: []upstream.RouteRateLimit{{Path: "/a", Limit: header}, {Path: "/a", Limit: header}}}, authz.RoutesOf(0) + authz.RoutesOf(2*size)},
		"any path":             {&Limits{Routes: []upstream.RouteRateLimit{{Path: anyPath, Limit: header}}}, authz.RoutesOf(0) + authz.RoutesOf(size)},
		"all requests":         {&Limits{GlobalRequests: &upstream.GlobalRequestLimit{Descriptors: descriptors}}, authz.RoutesOf(descriptorSize)},
		"requests of a route":  {&Limits{GlobalRequests: &upstream.GlobalRequestLimit{Routes: []upstream.RouteDescriptors{{Path: "/b", Descriptors: descriptors}}}}, authz.RoutesOf(0) + authz.RoutesOf(descriptorSize)},
		"requests, both kinds": {&Limits{Requests: &header, GlobalRequests: &upstream.GlobalRequestLimit{Descriptors: descriptors}}, authz.RoutesOf(size + descriptorSize)},
		"connections": {
			&Limits{GlobalConnections: &upstream.GlobalConnectionLimit{Descriptors: []upstream.ConnectionDescriptor{{{Key: "x", Value: long}}}}},
			authz.RoutesOf(authz.ConnectionDescriptorBytes([]upstream.ConnectionDescriptor{{{Key: "x", Value: long}}})),
		},
	} {
		if got := weightOfLimits(test.limits, routes); got != test.want {
			t.Errorf("%s: limits count as %d routes, want %d", name, got, test.want)
		}
	}
	network := []authz.NetworkRule{{Sources: clients}}
	one := authz.RoutesOfClients(clients)
	matches := authz.RoutesOf(authz.MatchBytes(routes[0].Match)) + authz.RoutesOf(authz.MatchBytes(routes[1].Match)) + authz.RoutesOf(0)
	if got, want := weightOfRules(authz.Rules{Network: network, Routes: routes}), 2*one+matches; got != want {
		t.Errorf("the rules count as %d routes, want %d", got, want)
	}
	weights := portWeights{}
	port := &Inbound{Rules: authz.Rules{Network: network}, Limits: &Limits{Requests: &header}}
	for range 2 {
		if got, want := weights.of(port), (portWeight{one, authz.RoutesOf(size)}); got != want {
			t.Errorf("the port counts as %+v, want %+v", got, want)
		}
	}
	if got := weights.of(&Inbound{}); got != (portWeight{}) || len(weights) != 2 {
		t.Errorf("another port counts as %+v, and %d weights are known", got, len(weights))
	}
}

// TestWeightOfIngress checks that matches, addresses, host names and names of clients count.
func TestWeightOfIngress(t *testing.T) {
	in := Ingress{Matches: make([]catalog.HTTPMatch, 2), Prefixes: make([]netip.Prefix, 3), ServerNames: make([]string, 4), Principals: []string{strings.Repeat("x", 10_000), ""}}
	if got, want := in.weight(), authz.RoutesOfMatches(in.Matches)+3+4+authz.RoutesOf(10_000)+authz.RoutesOf(0); got != want {
		t.Errorf("it counts as %d routes, want %d", got, want)
	}
}

// TestLimitLog checks which access logs are replaced by the default, because they are too long for the filter chains.
func TestLimitLog(t *testing.T) {
	s := loading(direct(), direct(tcp))
	if s.limitLog(); s.AccessLog != nil || len(s.Limited) > 0 {
		t.Errorf("a scope without a log has %+v, and limits %v", s.AccessLog, s.Limited)
	}
	s.AccessLog = &telemetry.AccessLog{Text: strings.Repeat("x", telemetry.MaxLogBytes)}
	if s.limitLog(); s.AccessLog.Text == "" || len(s.Limited) > 0 {
		t.Errorf("a log that fits in one chain is limited: %v", s.Limited)
	}
	s.AccessLog = &telemetry.AccessLog{Text: strings.Repeat("x", telemetry.MaxLogBytes+1)}
	if s.limitLog(); s.AccessLog.Text != "" || s.AccessLog.Export != nil || len(s.Limited) != 1 {
		t.Errorf("a log that is too long has %d bytes: %v", len(s.AccessLog.Text), s.Limited)
	}
}
