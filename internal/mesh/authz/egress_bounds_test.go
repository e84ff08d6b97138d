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

// TestRouteLimit_Boundary admits exactly MaxRoutes for each namespace.
func TestRouteLimit_Boundary(t *testing.T) {
	var limit authz.RouteLimit
	for _, step := range []struct {
		namespace string
		routes    int
		want      bool
	}{{"a", authz.MaxRoutes - 1, true}, {"a", 2, false}, {"a", 1, true}, {"a", 1, false}, {"a", 0, true}, {"b", authz.MaxRoutes, true}} {
		if got := limit.Admit(step.namespace, step.routes); got != step.want {
			t.Errorf("%d routes of namespace %s: %v, want %v", step.routes, step.namespace, got, step.want)
		}
	}
}

// outsideOf returns what one Egress allows on one port.
func outsideOf(protocol inventory.Protocol, edit func(*catalog.Egress)) authz.EgressPort {
	client := SA("a", "client")
	policy := &catalog.Egress{Name: Name("a", "outside"), Sources: []identity.ServiceAccount{client}, Ports: []catalog.EgressPort{{Number: 443, Protocol: protocol}}}
	edit(policy)
	group := Group("a", "routes")
	for i := range 1000 {
		group.Matches = append(group.Matches, catalog.HTTPMatch{Name: fmt.Sprint(i), PathRegex: fmt.Sprint("/", i)})
	}
	view := Apply(&catalog.Settings{EgressPolicies: true}, &catalog.Namespace{Name: "a", Monitored: true}, group, policy).View()
	return authz.EgressPorts(view, client)[0]
}

func manyHosts(n int) []string {
	var hosts []string
	for i := range n {
		hosts = append(hosts, fmt.Sprintf("h%d.example.com", i))
	}
	return hosts
}

func manyRanges(n int) []netip.Prefix {
	var ranges []netip.Prefix
	for i := range n {
		ranges = append(ranges, netip.PrefixFrom(netip.AddrFrom4([4]byte{192, byte(i >> 16), byte(i >> 8), byte(i)}), 32))
	}
	return ranges
}

// TestEgressesAreBounded checks each way in which the parts of an Egress add up, at the limit and above it.
func TestEgressesAreBounded(t *testing.T) {
	for _, n := range []int{10, authz.MaxRoutes + 10} {
		port := outsideOf(inventory.ProtocolTCP, func(e *catalog.Egress) { e.Prefixes = manyRanges(n) })
		if want := min(n, authz.MaxRoutes); len(port.Ranges) != want {
			t.Errorf("of %d ranges, %d remain, want %d", n, len(port.Ranges), want)
		}
		port = outsideOf(catalog.ProtocolHTTPS, func(e *catalog.Egress) { e.Hosts = manyHosts(n) })
		if want := min(n, authz.MaxRoutes); len(port.Hosts) != want {
			t.Errorf("of %d hosts, %d remain, want %d", n, len(port.Hosts), want)
		}
		n = n / 10 // a range with nine hosts counts as ten
		port = outsideOf(catalog.ProtocolHTTPS, func(e *catalog.Egress) { e.Prefixes, e.Hosts = manyRanges(n), manyHosts(9) })
		if want := min(n, authz.MaxRoutes/10); len(port.Ranges) != want {
			t.Errorf("of %d ranges with 9 hosts, %d remain, want %d", n, len(port.Ranges), want)
		}
	}
}

// TestMatchesOfEgressesAreBounded checks that the matches of hosts are bounded, and that a host without its matches allows no request.
func TestMatchesOfEgressesAreBounded(t *testing.T) {
	const hosts = 60
	port := outsideOf(inventory.ProtocolHTTP, func(e *catalog.Egress) {
		e.Hosts, e.Restricted, e.RouteGroups = manyHosts(hosts), true, []string{"routes"}
	})
	complete := 0
	for _, host := range port.Hosts {
		if !host.Restricted || len(host.Matches) != 0 && len(host.Matches) != 1000 {
			t.Errorf("host %s has %d matches, restricted %v", host.Host, len(host.Matches), host.Restricted)
		}
		complete += len(host.Matches) / 1000
	}
	// Each host counts too.
	if len(port.Hosts) != hosts || complete != authz.MaxRoutes/1000-1 {
		t.Errorf("%d hosts, %d with their matches, want %d and %d", len(port.Hosts), complete, hosts, authz.MaxRoutes/1000-1)
	}
}

// TestHostsForRequestsRemainBeyondTheLimitOfTLS checks that hosts for TLS are left out if they multiply with ranges, and that requests to the same
// hosts remain allowed.
func TestHostsForRequestsRemainBeyondTheLimitOfTLS(t *testing.T) {
	client := SA("a", "client")
	policy := func(name string, protocols []inventory.Protocol, hosts []string, ranges []netip.Prefix) *catalog.Egress {
		e := &catalog.Egress{Name: Name("a", name), Sources: []identity.ServiceAccount{client}, Hosts: hosts, Prefixes: ranges}
		for _, protocol := range protocols {
			e.Ports = append(e.Ports, catalog.EgressPort{Number: 443, Protocol: protocol})
		}
		return e
	}
	https := []inventory.Protocol{catalog.ProtocolHTTPS}
	both := []inventory.Protocol{inventory.ProtocolHTTP, catalog.ProtocolHTTPS}
	var plain []string // hosts for requests alone, which do not count
	for i := range 300 {
		plain = append(plain, fmt.Sprintf("p%d.example.com", i))
	}
	for _, hosts := range []int{10, 300} {
		view := Apply(&catalog.Settings{EgressPolicies: true}, &catalog.Namespace{Name: "a", Monitored: true},
			policy("both", both, []string{"both.example.com"}, nil), policy("plain", both[:1], plain, nil),
			policy("hosts", https, manyHosts(hosts), nil), policy("ranges", https, nil, manyRanges(200))).View()
		port := authz.EgressPorts(view, client)[0]
		remaining := map[string]authz.EgressHost{}
		for _, host := range port.Hosts {
			remaining[host.Host] = host
		}
		within := hosts*200 < authz.MaxRoutes
		if _, remains := remaining["h1.example.com"]; remains != within {
			t.Errorf("%d hosts for TLS and 200 ranges: a host remains %v, want %v", hosts, remains, within)
		}
		if host := remaining["both.example.com"]; !host.HTTP || host.TLS != within {
			t.Errorf("%d hosts for TLS and 200 ranges: the host for requests is %+v, want TLS %v", hosts, host, within)
		}
	}
}

// TestPortsWithOtherGrantsHaveOtherRules checks that ports share rules only if the same targets grant them.
func TestPortsWithOtherGrantsHaveOtherRules(t *testing.T) {
	server := SA("a", "server")
	route := func(port uint16) *catalog.TCPRoute {
		return &catalog.TCPRoute{Name: Name("a", fmt.Sprint("port-", port)), Ports: []uint16{port}}
	}
	target := func(port uint16, source string) *catalog.TrafficTarget {
		return Target(source, server, []catalog.TargetRule{TCP(fmt.Sprint("port-", port))}, SA("a", source))
	}
	view := Apply(&catalog.Namespace{Name: "a", Monitored: true}, route(1), route(2), target(1, "one"), target(2, "two")).View()
	for port, want := range map[uint16]string{1: "one", 2: "two"} {
		rules := authz.InboundRules(view, server, port, inventory.ProtocolTCP)
		if len(rules.Network) != 1 || rules.Network[0].Sources[0].Name != want {
			t.Errorf("port %d is for %+v, want %s", port, rules.Network, want)
		}
	}
}
