package ingest

import (
	"net/netip"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
)

// TestRequiredGateway checks what an Egress loses in a namespace that requires the egress gateway.
func TestRequiredGateway(t *testing.T) {
	http, tcp := catalog.EgressPort{Number: 80, Protocol: inventory.ProtocolHTTP}, catalog.EgressPort{Number: 5432, Protocol: inventory.ProtocolTCP}
	for name, c := range map[string]struct {
		policy   catalog.Egress
		problems []string
	}{
		"nothing":    {catalog.Egress{Hosts: []string{"a.example.com"}, Ports: []catalog.EgressPort{http}}, nil},
		"local host": {catalog.Egress{Hosts: []string{"a.example.com", "localhost"}, Ports: []catalog.EgressPort{http}}, []string{"RejectedAddress: the host localhost of spec.hosts"}},
		"a port":     {catalog.Egress{Hosts: []string{"a.example.com"}, Ports: []catalog.EgressPort{http, tcp}}, []string{"Unsupported: the protocol tcp of port 5432"}},
		"everything, with ranges": {
			catalog.Egress{Prefixes: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}, Ports: []catalog.EgressPort{http, tcp}},
			[]string{"Unsupported: so this Egress allows nothing: use spec.hosts only"},
		},
		"nothing that its own gateway forwards": {catalog.Egress{Gateway: &catalog.EgressGateway{}, Hosts: []string{"a.example.com"}, Ports: []catalog.EgressPort{http}}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			c.policy.Name = x
			problems := RequiredGateway(&c.policy)
			expect(t, 0, 0, c.problems, problems)
			for _, p := range problems {
				expect(t, 0, 0, []string{"" + p.Reason + ": The namespace shop requires the egress gateway, "}, []Problem{p})
			}
		})
	}
}

// TestGatewayWithoutTLS checks that https through the gateway needs no advice about TLS that is not configured.
func TestGatewayWithoutTLS(t *testing.T) {
	got, problems := Egress(smi(t, egressSource+egressHost+egressHTTPS+"gateway: {}"))
	expect(t, egressEntry(443, catalog.ProtocolHTTPS, func(e *catalog.Egress) { e.Gateway = &catalog.EgressGateway{} }), got, nil, problems)
}
