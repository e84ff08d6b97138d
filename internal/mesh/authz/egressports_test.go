package authz_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// on sets the ports of an Egress; "tcp-server-first" and others are the protocols.
func on(ports ...catalog.EgressPort) func(*catalog.Egress) {
	return func(e *catalog.Egress) { e.Ports = ports }
}

func port(number uint16, protocol inventory.Protocol) catalog.EgressPort {
	return catalog.EgressPort{Number: number, Protocol: protocol}
}

// within sets the ranges of an Egress.
func within(prefixes ...string) func(*catalog.Egress) {
	return func(e *catalog.Egress) {
		for _, p := range prefixes {
			e.Prefixes = append(e.Prefixes, netip.MustParsePrefix(p))
		}
	}
}

func to(hosts ...string) func(*catalog.Egress) { return func(e *catalog.Egress) { e.Hosts = hosts } }

func with(setting string) func(*catalog.Egress) {
	return func(e *catalog.Egress) { e.Setting = setting }
}

func all(changes ...func(*catalog.Egress)) func(*catalog.Egress) {
	return func(e *catalog.Egress) {
		for _, change := range changes {
			change(e)
		}
	}
}

// describePorts has a line for each port, host and range.
func describePorts(ports []authz.EgressPort) []string {
	var lines []string
	for _, p := range ports {
		lines = append(lines, strings.TrimSpace(fmt.Sprintf("%d %s", p.Number, p.Setting)))
		for _, h := range p.Hosts {
			lines = append(lines, fmt.Sprintf("%s http=%t restricted=%t/%d tls=%t via=%s/%s %s %v", h.Host, h.HTTP, h.Restricted, len(h.Matches), h.TLS,
				h.HTTPGateway.Name, h.TLSGateway.Name, h.Setting, h.Policies))
		}
		for _, r := range p.Ranges {
			lines = append(lines, fmt.Sprintf("%s any=%t tls=%t %v %v", r.Prefix, r.Any, r.AnyTLS, r.ServerNames, r.Policies))
		}
	}
	return lines
}

// TestEgressPorts checks how policies of different age combine on a port.
func TestEgressPorts(t *testing.T) {
	http, https, tcp, first := port(80, inventory.ProtocolHTTP), port(80, catalog.ProtocolHTTPS), port(80, inventory.ProtocolTCP), port(80, inventory.ProtocolTCPServerFirst)
	restricted := func(e *catalog.Egress) { e.Restricted, e.RouteGroups = true, []string{"get", "none"} }
	const ranged = "192.0.2.0/24"
	for name, test := range map[string]struct {
		policies []catalog.Entry
		want     []string
	}{
		"ports are sorted": {
			[]catalog.Entry{outside("a", 1, on(http, port(90, inventory.ProtocolHTTP))), outside("b", 2, all(on(http), to("www.example.com")))},
			[]string{
				"80", "api.example.com http=true restricted=false/0 tls=false via=/  [ns/a]", "www.example.com http=true restricted=false/0 tls=false via=/  [ns/b]",
				"90", "api.example.com http=true restricted=false/0 tls=false via=/  [ns/a]",
			},
		},
		"hosts are sorted, and wildcards are no hosts": {
			[]catalog.Entry{outside("a", 1, all(on(http, https), to("*.example.org", "b.example.com", "a.example.com", "192.0.2.1")))},
			[]string{
				"80", "192.0.2.1 http=true restricted=false/0 tls=false via=/  [ns/a]", "a.example.com http=true restricted=false/0 tls=true via=/  [ns/a]",
				"b.example.com http=true restricted=false/0 tls=true via=/  [ns/a]",
			},
		},
		"a host of several policies": {
			[]catalog.Entry{outside("a", 1, all(with("one"), restricted)), outside("b", 2, all(with("two"), restricted))},
			[]string{"80", "api.example.com http=true restricted=true/2 tls=false via=/ one [ns/a ns/b]"},
		},
		"a younger policy without restriction": {
			[]catalog.Entry{outside("a", 1, restricted), outside("b", 2, with("two"))},
			[]string{"80", "api.example.com http=true restricted=false/0 tls=false via=/ two [ns/a ns/b]"},
		},
		"an older policy without restriction": {
			[]catalog.Entry{outside("a", 1, with("one")), outside("b", 2, restricted)},
			[]string{"80", "api.example.com http=true restricted=false/0 tls=false via=/ one [ns/a ns/b]"},
		},
		"TLS through the gateway of the oldest": {
			[]catalog.Entry{outside("a", 1, on(https)), outside("b", 2, all(on(https), through)), outside("c", 3, all(on(https), through))},
			[]string{"80", "api.example.com http=false restricted=false/0 tls=true via=/b  [ns/a ns/b ns/c]"},
		},
		"requests through the gateway, and a direct policy for another host": {
			[]catalog.Entry{outside("a", 1, all(through, to("a.example.com", "b.example.com"))), outside("b", 2, to("a.example.com", "c.example.com"))},
			[]string{
				"80", "a.example.com http=true restricted=false/0 tls=false via=a/  [ns/a ns/b]", "b.example.com http=true restricted=false/0 tls=false via=a/  [ns/a]",
				"c.example.com http=true restricted=false/0 tls=false via=/  [ns/b]",
			},
		},
		"ranges of bytes": {
			[]catalog.Entry{outside("a", 1, all(on(tcp), within("198.51.100.0/24"), with("one"))), outside("b", 2, all(on(tcp), within(ranged, "198.51.100.0/24"), with("two")))},
			[]string{"80 one", "192.0.2.0/24 any=true tls=false [] [ns/b]", "198.51.100.0/24 any=true tls=false [] [ns/a ns/b]"},
		},
		"every address makes hosts useless": {
			[]catalog.Entry{outside("a", 1, on(http)), outside("b", 2, on(tcp))},
			[]string{"80", "0.0.0.0/0 any=true tls=false [] [ns/b]", "::/0 any=true tls=false [] [ns/b]"},
		},
		"every IPv4 address does not": {
			[]catalog.Entry{outside("a", 1, on(http)), outside("b", 2, all(on(tcp), within("0.0.0.0/0")))},
			[]string{"80", "api.example.com http=true restricted=false/0 tls=false via=/  [ns/a]", "0.0.0.0/0 any=true tls=false [] [ns/b]"},
		},
		"TLS to every address does not": {
			[]catalog.Entry{outside("a", 1, on(http)), outside("b", 2, all(on(https), to(), within("0.0.0.0/0", "::/0")))},
			[]string{
				"80", "api.example.com http=true restricted=false/0 tls=false via=/  [ns/a]", "0.0.0.0/0 any=false tls=true [] [ns/b]", "::/0 any=false tls=true [] [ns/b]",
			},
		},
		"server names of ranges are sorted": {
			[]catalog.Entry{outside("a", 1, all(on(https), to("b.example.com", "a.example.com", "192.0.2.7"), within(ranged))), outside("b", 2, all(on(https), to("*.example.com"), within(ranged)))},
			[]string{"80", "192.0.2.0/24 any=false tls=false [*.example.com a.example.com b.example.com] [ns/a ns/b]"},
		},
		"a policy for every server name": {
			[]catalog.Entry{outside("a", 1, all(on(https), to(), within(ranged))), outside("b", 2, all(on(https), within(ranged)))},
			[]string{"80", "192.0.2.0/24 any=false tls=true [] [ns/a ns/b]"},
		},
		"bytes include server names": {
			[]catalog.Entry{outside("a", 1, all(on(https), within(ranged))), outside("b", 2, all(on(tcp), within(ranged)))},
			[]string{"80", "192.0.2.0/24 any=true tls=false [] [ns/a ns/b]"},
		},
		"servers that speak first are the oldest": {
			[]catalog.Entry{outside("a", 1, all(on(first), within(ranged))), outside("b", 2, on(http, https)), outside("c", 3, all(on(tcp), within("198.51.100.0/24")))},
			[]string{"80", "192.0.2.0/24 any=true tls=false [] [ns/a]", "198.51.100.0/24 any=true tls=false [] [ns/c]"},
		},
		"servers that speak first are younger than requests": {
			[]catalog.Entry{outside("a", 1, on(http)), outside("b", 2, all(on(first), within(ranged)))},
			[]string{"80", "api.example.com http=true restricted=false/0 tls=false via=/  [ns/a]"},
		},
		"servers that speak first, after bytes": {
			[]catalog.Entry{outside("a", 1, all(on(tcp), within("198.51.100.0/24"))), outside("b", 2, all(on(first), within(ranged)))},
			[]string{"80", "192.0.2.0/24 any=true tls=false [] [ns/b]", "198.51.100.0/24 any=true tls=false [] [ns/a]"},
		},
		"no policy is enabled": {[]catalog.Entry{outside("a", 1, all()), &catalog.Settings{}}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			entries := append([]catalog.Entry{&catalog.Settings{EgressPolicies: true}, meshtest.Group("ns", "get", "/get")}, test.policies...)
			got := describePorts(authz.EgressPorts(meshtest.Apply(entries...).View(), meshtest.SA("ns", "client")))
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("destinations of the client (-want +got):\n%s", diff)
			}
		})
	}
}

// TestPortReads checks what a sidecar reads of the connections on a port.
func TestPortReads(t *testing.T) {
	for name, test := range map[string]struct {
		port      authz.EgressPort
		http, tls bool
	}{
		"nothing":    {authz.EgressPort{}, false, false},
		"requests":   {authz.EgressPort{Hosts: []authz.EgressHost{{HTTP: true}}}, true, false},
		"TLS":        {authz.EgressPort{Hosts: []authz.EgressHost{{TLS: true}}}, false, true},
		"TLS ranges": {authz.EgressPort{Ranges: []authz.EgressRange{{Any: true}, {AnyTLS: true}}}, false, true},
		"bytes":      {authz.EgressPort{Ranges: []authz.EgressRange{{Any: true}}}, false, false},
	} {
		if http, tls := test.port.HasHTTP(), test.port.HasTLS(); http != test.http || tls != test.tls {
			t.Errorf("%s: the port has HTTP %t, TLS %t, want %t, %t", name, http, tls, test.http, test.tls)
		}
	}
}
