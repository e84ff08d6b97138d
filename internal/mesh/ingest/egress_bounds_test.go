package ingest

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
)

const (
	egressSource = "sources: [{kind: ServiceAccount, name: curl, namespace: shop}]\n"
	egressHost   = "hosts: [a.example.com]\n"
	egressHTTP   = "ports: [{number: 80, protocol: http}]\n"
	egressHTTPS  = "ports: [{number: 443, protocol: https}]\n"
)

// egressEntry returns the entry of an Egress of the client curl to one port.
func egressEntry(number uint16, protocol inventory.Protocol, change func(*catalog.Egress)) *catalog.Egress {
	entry := &catalog.Egress{
		Name: x, Created: created, Sources: []identity.ServiceAccount{{Namespace: "shop", Name: "curl"}},
		Hosts: []string{"a.example.com"}, Ports: []catalog.EgressPort{{Number: number, Protocol: protocol}},
	}
	if change != nil {
		change(entry)
	}
	return entry
}

// TestEgressNeverOpensMore checks that an invalid part of an Egress never allows more than a valid one.
func TestEgressNeverOpensMore(t *testing.T) {
	restricted := func(e *catalog.Egress) { e.Restricted = true }
	for name, c := range map[string]struct {
		spec     string
		want     *catalog.Egress
		problems []string
	}{
		"a client that is no service account": {
			"sources: [{kind: Group, name: curl, namespace: shop}]\n" + egressHost + egressHTTP, nil, []string{`Unsupported: spec.sources[0] has the kind "Group"`},
		},
		"invalid ranges through the gateway": {
			egressSource + egressHost + egressHTTPS + "ipAddresses: [10.0.0.0/99]\ngateway: {}", nil,
			[]string{"RejectedAddress: is not an IP range", "Unsupported: remove spec.ipAddresses or spec.gateway"},
		},
		"a wildcard with invalid ranges through the gateway": {
			egressSource + "hosts: ['*.example.com']\n" + egressHTTPS + "ipAddresses: [10.0.0.0/99]\ngateway: {}", nil,
			[]string{"RejectedAddress: is not an IP range", "Unsupported: remove spec.ipAddresses or spec.gateway"},
		},
		"invalid ranges leave requests to hosts": {
			egressSource + egressHost + "ports: [{number: 80, protocol: http}, {number: 443, protocol: https}]\nipAddresses: [x]",
			egressEntry(80, inventory.ProtocolHTTP, nil),
			[]string{"RejectedAddress: is not an IP range"},
		},
		"requests to a wildcard": {
			egressSource + "hosts: ['*.example.com']\nipAddresses: [10.0.0.0/8]\n" + egressHTTP, nil, []string{"GrantsNothing: spec.hosts names no host"},
		},
		"unusable matches leave encrypted connections": {
			egressSource + egressHost + egressHTTPS + "matches: [{kind: TCPRoute, name: get}]",
			egressEntry(443, catalog.ProtocolHTTPS, restricted),
			[]string{"Unsupported: use an HTTPRouteGroup"},
		},
		"a setting of another API": {
			egressSource + egressHost + egressHTTP + "matches: [{apiGroup: example.com, kind: UpstreamTrafficSetting, name: slow}]", nil,
			[]string{`Unsupported: of the group "example.com"`},
		},
		"an impossible group": {
			egressSource + egressHost + egressHTTP + "matches: [{kind: HTTPRouteGroup, name: A_B}]", nil, []string{`InvalidName: spec.matches[0].name "A_B"`},
		},
		"an address with a zone": {
			egressSource + "hosts: ['fe80::1%eth0', a.example.com]\n" + egressHTTP, egressEntry(80, inventory.ProtocolHTTP, nil),
			[]string{"InvalidName: spec.hosts[0]"},
		},
		"server first before http and https": {
			egressSource + egressHost + "ports: [{number: 80, protocol: tcp-server-first}, {number: 80, protocol: http}, {number: 80, protocol: https}]",
			egressEntry(80, inventory.ProtocolTCPServerFirst, nil),
			[]string{"DuplicateMatch: protocols http and tcp-server-first", "DuplicateMatch: protocols https and tcp-server-first", "?NotUsed: spec.hosts has no effect"},
		},
		"local hosts of the gateway": {
			egressSource + "hosts: [a.localhost, a.example.com]\n" + egressHTTP + "gateway: {}",
			egressEntry(80, inventory.ProtocolHTTP, func(e *catalog.Egress) { e.Gateway = &catalog.EgressGateway{} }),
			[]string{"RejectedAddress: a.localhost"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, problems := Egress(smi(t, c.spec))
			expect(t, c.want, got, c.problems, problems)
		})
	}
}

// TestEgressPortRange checks the limits of ports.
func TestEgressPortRange(t *testing.T) {
	for port, usable := range map[string]bool{"-1": false, "0": false, "1": true, "65535": true, "65536": false, "65616": false} {
		for field, spec := range map[string]string{
			"spec.ports[0].number is": egressHost + "ports: [{number: " + port + ", protocol: http}]\n",
			"spec.gateway.tls.port":   egressHost + egressHTTP + "gateway: {tls: {secretName: ca, port: " + port + "}}",
		} {
			got, problems := Egress(smi(t, egressSource+spec))
			if (got != nil) != usable || (len(problems) == 0) != usable {
				t.Errorf("%s %s: the entry is %+v with the problems %+v, want usable = %t", field, port, got, problems, usable)
			}
			if !usable && (problems[0].Reason != ReasonInvalidPort || !strings.HasPrefix(problems[0].Message, field)) {
				t.Errorf("%s %s: the problems are %+v, want an invalid port", field, port, problems)
			}
		}
	}
}

// TestEgressIsSorted checks that entries of equal policies are equal, in whatever order their parts are written.
func TestEgressIsSorted(t *testing.T) {
	got, problems := Egress(smi(t, `
sources: [{kind: ServiceAccount, name: b, namespace: shop}, {kind: ServiceAccount, name: a, namespace: shop}, {kind: ServiceAccount, name: b, namespace: shop}]
hosts: [a.example.com]
ipAddresses: [10.2.0.0/16, 10.1.0.0/16, 10.2.3.4/16]
ports: [{number: 443, protocol: tcp}, {number: 443, protocol: https}, {number: 80, protocol: http}, {number: 443, protocol: tcp}]
matches: [{kind: HTTPRouteGroup, name: b}, {kind: HTTPRouteGroup, name: a}, {kind: HTTPRouteGroup, name: b}, {kind: UpstreamTrafficSetting, name: s}, {kind: UpstreamTrafficSetting, name: s}]
`))
	expect(t, &catalog.Egress{
		Name: x, Created: created, Hosts: []string{"a.example.com"}, Setting: "s", Restricted: true, RouteGroups: []string{"a", "b"},
		Sources:  []identity.ServiceAccount{{Namespace: "shop", Name: "a"}, {Namespace: "shop", Name: "b"}},
		Prefixes: []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16"), netip.MustParsePrefix("10.2.0.0/16")},
		Ports:    []catalog.EgressPort{{Number: 80, Protocol: "http"}, {Number: 443, Protocol: "https"}, {Number: 443, Protocol: "tcp"}},
	}, got, nil, problems)
}
