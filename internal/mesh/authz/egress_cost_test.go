package authz_test

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/testing/cost"
	. "github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// BenchmarkLinearEgresses measures that one large Egress, or many Egresses of the same hosts, does not delay the configuration of all sidecars.
func BenchmarkLinearEgresses(b *testing.B) {
	const size, factor = 4000, 12
	names := func(n int) *catalog.View {
		return egressesOf(&catalog.Egress{Hosts: manyHosts(n), Prefixes: manyRanges(1)})
	}
	policies := func(n int) *catalog.View {
		var list []*catalog.Egress
		for range n / 20 {
			list = append(list, &catalog.Egress{Hosts: manyHosts(100)})
		}
		return egressesOf(list...)
	}
	ports := func(n int) *catalog.View {
		policy := &catalog.Egress{Hosts: manyHosts(1)}
		for i := range n / 10 {
			policy.Ports = append(policy.Ports, catalog.EgressPort{Number: uint16(i + 1), Protocol: inventory.ProtocolHTTP})
		}
		return egressesOf(policy)
	}
	for name, build := range map[string]func(int) *catalog.View{"server names": names, "policies": policies, "ports": ports} {
		b.Run(name, func(b *testing.B) {
			operation := func(v *catalog.View) func() { return func() { authz.EgressPorts(v, SA("a", "client")) } }
			cost.Linear(b, factor, operation(build(size)), operation(build(size*factor)))
		})
	}
}

// egressesOf returns a mesh in which some Egresses allow a/client TLS connections on one port.
func egressesOf(policies ...*catalog.Egress) *catalog.View {
	entries := []catalog.Entry{&catalog.Settings{EgressPolicies: true}, &catalog.Namespace{Name: "a", Monitored: true}}
	for i, policy := range policies {
		policy.Name, policy.Sources = Name("a", fmt.Sprint("egress-", i)), []identity.ServiceAccount{SA("a", "client")}
		if policy.Ports == nil {
			policy.Ports = []catalog.EgressPort{{Number: 443, Protocol: catalog.ProtocolHTTPS}}
		}
		entries = append(entries, policy)
	}
	return Apply(entries...).View()
}

// TestServerNamesOfNestedRangesAreBounded checks that server names do not multiply with the ranges in which a sidecar needs routes for them.
func TestServerNamesOfNestedRangesAreBounded(t *testing.T) {
	outer, other := netip.MustParsePrefix("192.0.0.0/8"), netip.MustParsePrefix("10.0.0.0/8")
	names := func(prefix netip.Prefix, n int) *catalog.Egress {
		return &catalog.Egress{Hosts: manyHosts(n), Prefixes: []netip.Prefix{prefix}}
	}
	inner := func() *catalog.Egress { return &catalog.Egress{Prefixes: manyRanges(500)} }
	wildcard := func() *catalog.Egress {
		return &catalog.Egress{Hosts: []string{"*.example.org"}, Prefixes: manyRanges(500)}
	}
	const half = authz.MaxRoutes / 500 / 2
	for name, test := range map[string]struct {
		policies []*catalog.Egress
		limited  string
	}{
		"few names around ranges":  {[]*catalog.Egress{names(outer, 10), inner()}, "[]"},
		"many names around ranges": {[]*catalog.Egress{names(outer, 2*half), inner()}, "[{Egress a/egress-0}]"},
		"policies that are not about server names of ranges": {
			[]*catalog.Egress{
				names(outer, 2*half), inner(),
				{Hosts: manyHosts(1)},
				{Hosts: manyHosts(1), Prefixes: []netip.Prefix{other}, Ports: []catalog.EgressPort{{Number: 443, Protocol: inventory.ProtocolTCP}}},
			}, "[{Egress a/egress-0}]",
		},
		"many names in another range":     {[]*catalog.Egress{names(other, 2*half), inner()}, "[]"},
		"names around names":              {[]*catalog.Egress{names(outer, 2*half), wildcard()}, "[{Egress a/egress-0} {Egress a/egress-1}]"},
		"names of two ranges around each": {[]*catalog.Egress{names(outer, half), names(netip.MustParsePrefix("192.0.0.0/9"), half), inner()}, "[{Egress a/egress-0} {Egress a/egress-1}]"},
		"an outer range for every connection": {
			[]*catalog.Egress{names(netip.MustParsePrefix("192.0.0.0/7"), 2*half), {Prefixes: []netip.Prefix{outer}, Ports: []catalog.EgressPort{{Number: 443, Protocol: inventory.ProtocolTCP}}}, inner()}, "[]",
		},
		"an outer range for every name": {[]*catalog.Egress{names(outer, 2*half), {Prefixes: []netip.Prefix{outer}}, inner()}, "[]"},
	} {
		var limit authz.RouteLimit
		port := authz.EgressPortsWithin(egressesOf(test.policies...), SA("a", "client"), &limit)[0]
		if got := fmt.Sprint(limit.Limited()); got != test.limited {
			t.Errorf("%s: limited are %s, want %s", name, got, test.limited)
		}
		ownNames := 0
		for _, r := range port.Ranges {
			ownNames += len(r.ServerNames)
			if test.limited == "[]" && !r.Any && !r.AnyTLS && len(r.ServerNames) == 0 {
				t.Errorf("%s: %s allows %+v", name, r.Prefix, r)
			}
		}
		if test.limited != "[]" && ownNames > 0 {
			t.Errorf("%s: %d names remain", name, ownNames)
		}
	}
}

// TestServerNamesOfSeveralPoliciesAreUnique checks that a range has a server name of two policies once.
func TestServerNamesOfSeveralPoliciesAreUnique(t *testing.T) {
	policy := func() *catalog.Egress { return &catalog.Egress{Hosts: manyHosts(2), Prefixes: manyRanges(1)} }
	port := authz.EgressPorts(egressesOf(policy(), policy()), SA("a", "client"))[0]
	if got := fmt.Sprint(port.Ranges[0].ServerNames, port.Ranges[0].Policies); got != "[h0.example.com h1.example.com] [a/egress-0 a/egress-1]" {
		t.Error(got)
	}
}
