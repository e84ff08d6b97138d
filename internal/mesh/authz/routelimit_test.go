package authz_test

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	. "github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// TestOneNamespaceDoesNotFillTheEgressGateway checks that the destinations of one namespace in the egress gateway, which all share, are bounded, and
// that they displace none of another namespace.
func TestOneNamespaceDoesNotFillTheEgressGateway(t *testing.T) {
	entries := []catalog.Entry{&catalog.Settings{EgressPolicies: true}}
	for namespace, hosts := range map[string]int{"a": 100, "b": 1} {
		group := Group(namespace, "routes", "/x")
		for i := range 1000 {
			group.Matches = append(group.Matches, catalog.HTTPMatch{Name: fmt.Sprint(i), PathRegex: fmt.Sprint("/", i)})
		}
		policy := &catalog.Egress{
			Name: Name(namespace, "outside"), Sources: []identity.ServiceAccount{SA(namespace, "client")}, Gateway: &catalog.EgressGateway{},
			Ports: []catalog.EgressPort{{Number: 80, Protocol: inventory.ProtocolHTTP}}, Restricted: true, RouteGroups: []string{"routes"},
		}
		for i := range hosts {
			policy.Hosts = append(policy.Hosts, fmt.Sprintf("h%d.example.com", i))
		}
		entries = append(entries, &catalog.Namespace{Name: namespace, Monitored: true}, group, policy)
	}
	routes := map[string]int{}
	for _, d := range authz.GatewayDestinations(Apply(entries...).View(), &authz.RouteLimit{}) {
		routes[d.Policy.Namespace] += 1 + len(d.Matches)
	}
	if routes["a"] == 0 || routes["a"] > authz.MaxRoutes || routes["b"] != 1002 {
		t.Errorf("routes by namespace: %v", routes)
	}
}

// TestHostsAndRangesOfEgressesAreBounded checks that hosts for TLS do not multiply with ranges: the ranges remain.
func TestHostsAndRangesOfEgressesAreBounded(t *testing.T) {
	client := SA("a", "client")
	ports := []catalog.EgressPort{{Number: 443, Protocol: catalog.ProtocolHTTPS}}
	hosts := &catalog.Egress{Name: Name("a", "hosts"), Sources: []identity.ServiceAccount{client}, Ports: ports}
	ranges := &catalog.Egress{Name: Name("a", "ranges"), Sources: hosts.Sources, Ports: ports}
	for i := range 250 {
		hosts.Hosts = append(hosts.Hosts, fmt.Sprintf("h%d.example.com", i))
		ranges.Prefixes = append(ranges.Prefixes, netip.MustParsePrefix(fmt.Sprintf("192.0.%d.0/24", i)))
	}
	entries := []catalog.Entry{&catalog.Settings{EgressPolicies: true}, &catalog.Namespace{Name: "a", Monitored: true}, hosts, ranges}
	port := authz.EgressPorts(Apply(entries...).View(), client)[0]
	if len(port.Ranges)*len(port.Hosts) > authz.MaxRoutes || len(port.Ranges) != len(ranges.Prefixes) {
		t.Errorf("%d ranges and %d hosts", len(port.Ranges), len(port.Hosts))
	}
}
