package upstream_test

import (
	"slices"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/finding"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/upstream"
	"github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// causes returns the causes of what is told about a policy.
func causes(policy *upstream.Policy, entries ...catalog.Entry) (list []finding.Cause) {
	for _, f := range upstream.Assess(meshtest.Apply(append(entries, policy)...).View(), policy) {
		list = append(list, f.Cause)
	}
	return list
}

func TestMissingHost(t *testing.T) {
	policy := setting(upstream.Kind, "s", early)
	if got := causes(policy); !slices.Equal(got, []finding.Cause{finding.NoHost}) {
		t.Errorf("without the Service: %v", got)
	}
	if got := causes(policy, meshtest.Service(shop.Namespace, shop.Name, "shop", "", 80, inventory.ProtocolHTTP)); got != nil {
		t.Errorf("with the Service: %v", got)
	}
}

// TestLimitsOutside checks which fields are said to have no effect on hosts outside the mesh.
func TestLimitsOutside(t *testing.T) {
	for name, limit := range map[string]func(*upstream.Policy){
		"a rate of connections":   func(p *upstream.Policy) { p.ConnectionRate = new(upstream.RateLimit) },
		"a rate of requests":      func(p *upstream.Policy) { p.RequestRate = new(upstream.RequestRateLimit) },
		"a limit of a route":      func(p *upstream.Policy) { p.Routes = make([]upstream.RouteRateLimit, 1) },
		"health checks":           func(p *upstream.Policy) { p.HealthCheck = new(upstream.HealthCheck) },
		"a server of connections": func(p *upstream.Policy) { p.GlobalConnections = new(upstream.GlobalConnectionLimit) },
		"a server of requests":    func(p *upstream.Policy) { p.GlobalRequests = new(upstream.GlobalRequestLimit) },
		"":                        func(*upstream.Policy) {},
	} {
		policy := &upstream.Policy{Kind: upstream.Kind, Name: meshtest.Name("bookstore", "s")}
		limit(policy)
		if got := causes(policy); slices.Equal(got, []finding.Cause{finding.OutsideLimits}) != (name != "") {
			t.Errorf("with %q: %v", name, got)
		}
	}
}

func TestServers(t *testing.T) {
	connections, requests := upstream.GlobalLimit{Address: "connections.example", Port: 1}, upstream.GlobalLimit{Address: "requests.example", Port: 2}
	policy := &upstream.Policy{}
	if got := policy.Servers(); got != nil {
		t.Errorf("without global limits: %v", got)
	}
	policy.GlobalConnections, policy.GlobalRequests = &upstream.GlobalConnectionLimit{GlobalLimit: connections}, &upstream.GlobalRequestLimit{GlobalLimit: requests}
	if got, want := policy.Servers(), []catalog.Server{{Host: connections.Address, Port: 1}, {Host: requests.Address, Port: 2}}; !slices.Equal(got, want) {
		t.Errorf("the servers are %v, want %v", got, want)
	}
}
