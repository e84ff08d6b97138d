package authz_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/internal/authz"
	"github.com/openservicemesh/osm-operator/internal/catalog"
	"github.com/openservicemesh/osm-operator/internal/identity"
	"github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// outside is an Egress of ns/client to api.example.com on port 80.
func outside(name string, created int64, change func(*catalog.Egress)) *catalog.Egress {
	e := &catalog.Egress{
		Name: meshtest.Name("ns", name), Created: time.Unix(created, 0), Sources: []identity.ServiceAccount{meshtest.SA("ns", "client")},
		Hosts: []string{"api.example.com"}, Ports: []catalog.EgressPort{{Number: 80, Protocol: catalog.ProtocolHTTP}},
	}
	change(e)
	return e
}

func through(e *catalog.Egress) { e.Gateway = &catalog.EgressGateway{} }

// TestEgressGatewayDecides checks which policy decides about the requests of a client to one host. A direct policy must not take requests past
// the gateway, or add requests to those that a policy with the gateway allows.
func TestEgressGatewayDecides(t *testing.T) {
	all := func(*catalog.Egress) {}
	restricted := func(e *catalog.Egress) { e.Restricted, e.RouteGroups = true, []string{"get"} }
	both := func(e *catalog.Egress) { restricted(e); through(e) }
	for name, test := range map[string]struct {
		policies []catalog.Entry
		want     string
	}{
		"direct":                     {[]catalog.Entry{outside("a", 1, all)}, "via / restricted false 0"},
		"through the gateway":        {[]catalog.Entry{outside("a", 1, through)}, "via ns/a restricted false 0"},
		"an older direct one":        {[]catalog.Entry{outside("a", 1, all), outside("b", 2, both)}, "via ns/b restricted true 1"},
		"a younger direct one":       {[]catalog.Entry{outside("a", 1, both), outside("b", 2, all)}, "via ns/a restricted true 1"},
		"the older of two":           {[]catalog.Entry{outside("a", 2, through), outside("b", 1, both)}, "via ns/b restricted true 1"},
		"another restricted to more": {[]catalog.Entry{outside("a", 1, through), outside("b", 2, restricted)}, "via ns/a restricted false 0"},
	} {
		t.Run(name, func(t *testing.T) {
			entries := append(test.policies, &catalog.Settings{EgressPolicies: true}, meshtest.Group("ns", "get", "/get"))
			host := authz.EgressPorts(meshtest.Apply(entries...).View(), meshtest.SA("ns", "client"))[0].Hosts[0]
			if got := fmt.Sprintf("via %s restricted %t %d", host.HTTPGateway, host.Restricted, len(host.Matches)); got != test.want || !host.HTTP {
				t.Errorf("%s, want %s", got, test.want)
			}
		})
	}
}

// TestGatewayDestinations checks for whom and where the gateway forwards: hosts that it can look up, of policies in the mesh that are enabled.
func TestGatewayDestinations(t *testing.T) {
	policy := outside("a", 1, func(e *catalog.Egress) {
		through(e)
		e.Hosts = []string{"*.example.org", "192.0.2.1", "api.example.com"}
		e.Ports = append(e.Ports, catalog.EgressPort{Number: 443, Protocol: catalog.ProtocolHTTPS})
		e.Restricted, e.RouteGroups = true, []string{"get"}
	})
	on, member := &catalog.Settings{EgressPolicies: true}, &catalog.Namespace{Name: "ns", Monitored: true}
	for name, test := range map[string]struct {
		entries []catalog.Entry
		want    string
	}{
		"a policy": {
			[]catalog.Entry{policy, outside("direct", 1, func(*catalog.Egress) {}), on, member},
			"[http://192.0.2.1:80 restricted true http://api.example.com:80 restricted true https://api.example.com:443 restricted false]",
		},
		"disabled policies":           {[]catalog.Entry{policy, &catalog.Settings{}, member}, "[]"},
		"a namespace out of the mesh": {[]catalog.Entry{policy, on}, "[]"},
	} {
		t.Run(name, func(t *testing.T) {
			c := catalog.New()
			for _, entry := range test.entries {
				c.Apply([]catalog.Change{catalog.Set(entry)})
			}
			got, ids := []string{}, map[string]bool{}
			for _, d := range authz.GatewayDestinations(c.View()) {
				ids[d.ID()] = true
				got = append(got, fmt.Sprintf("%s://%s:%d restricted %t", d.Protocol, d.Host, d.Port, d.Restricted))
				if len(d.Sources) != 1 || d.Sources[0] != meshtest.SA("ns", "client") {
					t.Errorf("%s admits %v, want the sources of the policy", d.Host, d.Sources)
				}
			}
			if fmt.Sprint(got) != test.want || len(ids) != len(got) {
				t.Errorf("destinations %v with %d IDs, want %s", got, len(ids), test.want)
			}
		})
	}
}
