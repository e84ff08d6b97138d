package authz_test

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// outside is an Egress of ns/client to api.example.com on port 80.
func outside(name string, created int64, change func(*catalog.Egress)) *catalog.Egress {
	e := &catalog.Egress{
		Name: meshtest.Name("ns", name), Created: time.Unix(created, 0), Sources: []identity.ServiceAccount{meshtest.SA("ns", "client")},
		Hosts: []string{"api.example.com"}, Ports: []catalog.EgressPort{{Number: 80, Protocol: inventory.ProtocolHTTP}},
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

// TestGatewayForwardsToNoPartOfTheMesh names parts of the mesh in an Egress, beside a host outside.
func TestGatewayForwardsToNoPartOfTheMesh(t *testing.T) {
	policy := outside("a", 1, func(e *catalog.Egress) {
		through(e)
		e.Hosts = []string{"osm-prometheus", "osm-prometheus.osm-system.svc.cluster.local", "osm-controller.osm-system", "api.example.com"}
	})
	v := meshtest.Apply(policy, &catalog.Settings{EgressPolicies: true, Namespace: "osm-system"}, &catalog.Namespace{Name: "ns", Monitored: true}).View()
	if got := authz.GatewayDestinations(v, &authz.RouteLimit{}); len(got) != 1 || got[0].Host != "api.example.com" {
		t.Errorf("the gateway forwards to %+v, want api.example.com only", got)
	}
}

// TestGatewayForwardsIntoAllowedNamespaces checks which Services the gateway forwards to, and that it does not take a host outside for one.
func TestGatewayForwardsIntoAllowedNamespaces(t *testing.T) {
	policy := outside("a", 1, func(e *catalog.Egress) {
		through(e)
		e.Hosts = []string{"bank.evil", "books.shop", "books.shop.svc.cluster.local", "kubernetes.default.svc", "www.example.com"}
	})
	v := meshtest.Apply(policy, &catalog.Settings{EgressPolicies: true, Namespace: "osm-system"}, &catalog.Namespace{Name: "ns", Monitored: true},
		&inventory.Service{Name: meshtest.Name("osm-system", "osm-egress-gateway"), AllowedNamespaces: []string{"shop"}}).View()
	var got []string
	for _, d := range authz.GatewayDestinations(v, &authz.RouteLimit{}) {
		got = append(got, d.LookupName())
	}
	if want := []string{"bank.evil.", "books.shop", "books.shop.svc.cluster.local", "www.example.com"}; !slices.Equal(got, want) {
		t.Errorf("the gateway looks up %v, want %v", got, want)
	}
}

// TestLookupName checks that the search list completes no host outside the cluster.
func TestLookupName(t *testing.T) {
	for want, d := range map[string]authz.GatewayDestination{
		"bank.evil.":    {Host: "bank.evil"},
		"evil.":         {Host: "evil."},
		"bank.shop":     {Host: "bank.shop", Inside: true},
		"www.bank.evil": {Host: "www.bank.evil"},
	} {
		if got := d.LookupName(); got != want {
			t.Errorf("the gateway looks up %s as %s, want %s", d.Host, got, want)
		}
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
			for _, d := range authz.GatewayDestinations(c.View(), &authz.RouteLimit{}) {
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

// requiring is a mesh that allows egress, in which the namespace ns requires the egress gateway.
func requiring(entries ...catalog.Entry) *catalog.View {
	return meshtest.Apply(append(entries, &catalog.Settings{Namespace: "osm-system", Egress: true, EgressPolicies: true},
		&catalog.Namespace{Name: "ns", Monitored: true, EgressGateway: true}, &catalog.Namespace{Name: "other", Monitored: true})...).View()
}

// TestNamespaceRequiresTheGateway checks that nothing leaves such a namespace without the gateway, and that other namespaces are unaffected.
func TestNamespaceRequiresTheGateway(t *testing.T) {
	everything := func(namespace string) *catalog.Egress {
		return &catalog.Egress{
			Name: meshtest.Name(namespace, "all"), Sources: []identity.ServiceAccount{meshtest.SA(namespace, "client")},
			Hosts: []string{"127.0.0.1", "api.example.com"},
			Ports: []catalog.EgressPort{{Number: 80, Protocol: inventory.ProtocolHTTP}, {Number: 443, Protocol: catalog.ProtocolHTTPS}, {Number: 5432, Protocol: inventory.ProtocolTCP}},
		}
	}
	ranges := &catalog.Egress{
		Name: meshtest.Name("ns", "ranges"), Sources: []identity.ServiceAccount{meshtest.SA("ns", "client")}, Hosts: []string{"db.example.com"},
		Prefixes: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}, Ports: []catalog.EgressPort{{Number: 8443, Protocol: catalog.ProtocolHTTPS}},
	}
	v := requiring(everything("ns"), everything("other"), ranges)
	for _, test := range []struct {
		call      authz.EgressRequest
		ns, other string
	}{
		{authz.EgressRequest{Port: 80, Protocol: inventory.ProtocolHTTP, Host: "api.example.com"}, "allowed through the gateway", "allowed directly"},
		{authz.EgressRequest{Port: 443, Protocol: catalog.ProtocolHTTPS, Host: "api.example.com"}, "allowed through the gateway", "allowed directly"},
		{authz.EgressRequest{Port: 80, Protocol: inventory.ProtocolHTTP, Host: "127.0.0.1"}, "not found directly", "allowed directly"},
		{authz.EgressRequest{Port: 80, Protocol: inventory.ProtocolHTTP, Host: "www.example.com"}, "not found directly", "passed through directly"},
		{authz.EgressRequest{Port: 5432, Protocol: inventory.ProtocolTCP, Address: netip.MustParseAddr("192.0.2.1")}, "reset directly", "allowed directly"},
		{authz.EgressRequest{Port: 8443, Protocol: catalog.ProtocolHTTPS, Host: "db.example.com", Address: netip.MustParseAddr("192.0.2.1")}, "reset directly", "passed through directly"},
		{authz.EgressRequest{Port: 22, Protocol: inventory.ProtocolTCP, Address: netip.MustParseAddr("192.0.2.1")}, "reset directly", "passed through directly"},
	} {
		for namespace, want := range map[string]string{"ns": test.ns, "other": test.other} {
			call := test.call
			call.Source = meshtest.SA(namespace, "client")
			answer := authz.DecideEgress(v, call)
			got := string(answer.Outcome) + map[bool]string{true: " through the gateway", false: " directly"}[answer.Gateway]
			if got != want {
				t.Errorf("%s %s %s:%d: %s, want %s", namespace, call.Protocol, call.Host, call.Port, got, want)
			}
		}
	}
	for _, d := range authz.GatewayDestinations(v, &authz.RouteLimit{}) {
		if d.Policy.Namespace != "ns" || d.Host != "api.example.com" || !slices.Equal(d.Sources, []identity.ServiceAccount{meshtest.SA("ns", "client")}) {
			t.Errorf("the gateway forwards %+v, want hosts of the namespace that requires it, for its own clients", d)
		}
	}
}
