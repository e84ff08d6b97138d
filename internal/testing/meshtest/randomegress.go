package meshtest

import (
	"cmp"
	"net/netip"
	"slices"

	"pgregory.net/rapid"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
)

// EgressHosts are the hosts of random Egresses.
var EgressHosts = []string{"api.example.com", "db.example.com", "192.0.2.1"}

// EgressPrefixes are the ranges of random Egresses. They overlap.
var EgressPrefixes = []netip.Prefix{
	netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("192.0.2.0/28"), netip.MustParsePrefix("198.51.100.0/24"), netip.MustParsePrefix("2001:db8::/32"),
}

// EgressPorts are the ports of random Egresses.
var EgressPorts = []uint16{80, 443}

func drawEgress(t *rapid.T) *catalog.Egress {
	e := DrawEgress(t, drawName(t), rapid.SliceOfN(rapid.SampledFrom(words), 1, 2).Draw(t, "sources"))
	if rapid.IntRange(0, 3).Draw(t, "through the gateway") == 0 {
		UseGateway(t, e)
	}
	return e
}

// UseGateway sends what an Egress allows through the egress gateway, without the ports that it cannot forward.
func UseGateway(t *rapid.T, e *catalog.Egress) {
	e.Gateway, e.Prefixes = &catalog.EgressGateway{}, nil
	e.Ports = slices.DeleteFunc(e.Ports, func(p catalog.EgressPort) bool {
		return p.Protocol != catalog.ProtocolHTTP && p.Protocol != catalog.ProtocolHTTPS
	})
	e.Hosts = slices.DeleteFunc(e.Hosts, func(host string) bool { return host == "*.example.com" })
	if rapid.Bool().Draw(t, "encrypted") {
		e.Gateway.TLS = &catalog.EgressTLS{Port: 443, Secret: rapid.SampledFrom(words).Draw(t, "secret")}
	}
}

// DrawEgress draws an Egress with the name for accounts of its namespace.
func DrawEgress(t *rapid.T, name catalog.Name, sources []string) *catalog.Egress {
	e := &catalog.Egress{Name: name, Created: created.Draw(t, "created")}
	for _, source := range sources {
		e.Sources = append(e.Sources, identity.ServiceAccount{Namespace: name.Namespace, Name: source})
	}
	e.Hosts = rapid.SliceOfNDistinct(rapid.SampledFrom(EgressHosts), 1, 2, rapid.ID).Draw(t, "hosts")
	e.Prefixes = rapid.SliceOfNDistinct(rapid.SampledFrom(EgressPrefixes), 0, 2, rapid.ID).Draw(t, "ranges")
	if len(e.Prefixes) > 0 && rapid.Bool().Draw(t, "wildcard") {
		e.Hosts = append(e.Hosts, "*.example.com")
	}
	protocols := []catalog.Protocol{catalog.ProtocolHTTP, catalog.ProtocolHTTPS, catalog.ProtocolTCP, catalog.ProtocolTCPServerFirst}
	for range rapid.IntRange(1, 2).Draw(t, "ports") {
		e.Ports = append(e.Ports, catalog.EgressPort{
			Number: rapid.SampledFrom(EgressPorts).Draw(t, "port"), Protocol: rapid.SampledFrom(protocols).Draw(t, "protocol"),
		})
	}
	if e.Restricted = rapid.Bool().Draw(t, "restricted"); e.Restricted {
		e.RouteGroups = []string{rapid.SampledFrom(words).Draw(t, "group")}
	}
	if rapid.Bool().Draw(t, "limited") {
		e.Setting = rapid.SampledFrom(words).Draw(t, "setting")
	}
	slices.SortFunc(e.Sources, identity.ServiceAccount.Compare)
	slices.Sort(e.Hosts)
	slices.SortFunc(e.Prefixes, netip.Prefix.Compare)
	slices.SortFunc(e.Ports, func(a, b catalog.EgressPort) int {
		return cmp.Or(cmp.Compare(a.Number, b.Number), cmp.Compare(a.Protocol, b.Protocol))
	})
	e.Sources, e.Ports = slices.Compact(e.Sources), slices.Compact(e.Ports)
	return e
}
