package verdict

import (
	"cmp"
	"net/netip"
	"slices"
	"time"

	"pgregory.net/rapid"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
)

// drawEgress draws an Egress to the servers outside the mesh. Its hosts are addresses, because sidecars of the network have no DNS.
func drawEgress(t *rapid.T, name catalog.Name) catalog.Entry {
	e := &catalog.Egress{Name: name, Created: time.Unix(int64(below(t, 2, "created")), 0), Sources: accounts[2:]}
	if name.Namespace == "a" {
		e.Sources = rapid.SliceOfNDistinct(oneOf(accounts[:2]), 1, 2, rapid.ID).Draw(t, "sources")
	}
	for _, address := range rapid.SliceOfNDistinct(oneOf(outsideAddresses), 1, 2, rapid.ID).Draw(t, "hosts") {
		e.Hosts = append(e.Hosts, address.String())
	}
	e.Prefixes = rapid.SliceOfNDistinct(oneOf(outsideRanges()), 0, 2, rapid.ID).Draw(t, "ranges")
	e.Ports = rapid.SliceOfNDistinct(anyEgressPort, 1, 4, rapid.ID).Draw(t, "ports")
	if e.Restricted = oneIn(t, 2, "restricted"); e.Restricted {
		e.RouteGroups = rapid.SliceOfNDistinct(oneOf([]string{"g1", "g2", "g2", "none"}), 1, 2, rapid.ID).Draw(t, "groups")
	}
	sortEgress(e)
	return e
}

// sortEgress sorts the lists as the control plane does.
func sortEgress(e *catalog.Egress) {
	slices.SortFunc(e.Sources, identity.ServiceAccount.Compare)
	slices.Sort(e.Hosts)
	slices.SortFunc(e.Prefixes, netip.Prefix.Compare)
	slices.SortFunc(e.Ports, func(a, b catalog.EgressPort) int {
		return cmp.Or(cmp.Compare(a.Number, b.Number), cmp.Compare(a.Protocol, b.Protocol))
	})
	slices.Sort(e.RouteGroups)
}

// outsideRanges are ranges with one address outside the mesh, or with both.
func outsideRanges() []netip.Prefix {
	return []netip.Prefix{netip.PrefixFrom(outsideAddresses[0], 32), netip.PrefixFrom(outsideAddresses[1], 32), netip.MustParsePrefix("10.77.1.0/24")}
}

// anyEgressPort draws a port of the servers outside the mesh, and also protocols that exclude each other.
var anyEgressPort = oneOf([]catalog.EgressPort{
	{Number: outsideWebPort, Protocol: catalog.ProtocolHTTP},
	{Number: outsideWebPort, Protocol: catalog.ProtocolHTTP},
	{Number: outsideOtherPort, Protocol: catalog.ProtocolHTTP},
	{Number: outsideOtherPort, Protocol: catalog.ProtocolTCP},
	{Number: outsideOtherPort, Protocol: catalog.ProtocolHTTPS},
	{Number: outsideEchoPort, Protocol: catalog.ProtocolTCP},
	{Number: outsideEchoPort, Protocol: catalog.ProtocolTCP},
	{Number: outsideEchoPort, Protocol: catalog.ProtocolHTTP},
	{Number: outsideGreetsPort, Protocol: catalog.ProtocolTCPServerFirst},
	{Number: outsideGreetsPort, Protocol: catalog.ProtocolTCP},
	{Number: outsideGreetsPort, Protocol: catalog.ProtocolHTTP},
})

// drawEgressRequest draws a request to a server outside the mesh. Its host can be another one than its address.
func drawEgressRequest(t *rapid.T) Request {
	r := Request{Pod: below(t, len(pods), "from"), To: netip.AddrPortFrom(oneOf(outsideAddresses).Draw(t, "server"), oneOf(outsidePorts).Draw(t, "port"))}
	if r.protocol() != catalog.ProtocolHTTP {
		return r
	}
	// Policies without a restriction allow the paths that others reject as ambiguous.
	r.Method, r.Path = anyMethod.Draw(t, "method"), anyPath.Draw(t, "path")+oneOf([]string{"", "", "", "/..", "//", "#/"}).Draw(t, "ambiguous")
	host := oneOf(outsideAddresses).Draw(t, "host")
	r.Headers = []authz.Header{{Name: ":authority", Value: oneOf([]string{
		host.String(), host.String(), netip.AddrPortFrom(host, r.To.Port()).String(), netip.AddrPortFrom(host, outsideWebPort).String(), "other.example",
	}).Draw(t, "authority")}}
	for range oneOf([]int{0, 0, 1, 1, 2}).Draw(t, "headers") {
		r.Headers = append(r.Headers, anyHeader.Draw(t, "header"))
	}
	return r
}
