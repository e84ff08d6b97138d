package redirect

import (
	"net/netip"
	"strings"

	"github.com/google/nftables/expr"

	"github.com/openservicemesh/osm-operator/internal/names"
)

// Table is the name of the one table, of family inet, that holds all rules.
const Table = "osm"

// Names of the chains, those of OSM for the same purpose.
const (
	chainPrerouting  = "PREROUTING"
	chainOutput      = "OUTPUT"
	chainInbound     = "OSM_PROXY_INBOUND"
	chainInRedirect  = "OSM_PROXY_IN_REDIRECT"
	chainOutbound    = "OSM_PROXY_OUTBOUND"
	chainOutRedirect = "OSM_PROXY_OUT_REDIRECT"
)

// A rule is all its parts: the first ones match, the last one decides.
type rule []part

func (r rule) text() string {
	texts := make([]string, len(r))
	for i, p := range r {
		texts[i] = p.text
	}
	return strings.Join(texts, " ")
}

// A chain is a list of rules, asked in order.
type chain struct {
	name string
	// base chains are entered by the kernel, the others by jumps.
	base  bool
	rules []rule
}

var (
	loopback4 = netip.AddrFrom4([4]byte{127, 0, 0, 1})
	loopback6 = netip.IPv6Loopback()
)

// Rules describes what Apply puts into the kernel, one line for each chain and rule, in nft's own words.
func Rules(c Config) ([]string, error) {
	chains, err := chainsOf(c)
	if err != nil {
		return nil, err
	}
	var lines []string
	for _, ch := range chains {
		lines = append(lines, "chain "+ch.name)
		for _, r := range ch.rules {
			lines = append(lines, "  "+r.text())
		}
	}
	return lines, nil
}

// chainsOf is the whole table. Chains stand before the chains that jump to them.
func chainsOf(c Config) ([]chain, error) {
	if err := c.validate(); err != nil {
		return nil, err
	}
	return []chain{
		{name: chainInRedirect, rules: []rule{{isTCP(), redirectTo(names.InboundPort)}}},
		{name: chainOutRedirect, rules: []rule{
			{port(names.AdminPort), accept()},
			{isTCP(), redirectTo(names.OutboundPort)},
		}},
		{name: chainInbound, rules: inbound(c)},
		{name: chainOutbound, rules: outbound(c)},
		{name: chainPrerouting, base: true, rules: []rule{{isTCP(), jump(chainInbound)}}},
		{name: chainOutput, base: true, rules: []rule{{isTCP(), jump(chainOutbound)}}},
	}, nil
}

// inbound sends what clients call to the sidecar, except what the sidecar serves itself and what is excluded.
func inbound(c Config) []rule {
	rules := []rule{{ports(sorted(append(sidecarPorts(), c.ProbePorts...))), leave()}}
	if len(c.ExcludeInboundPorts) > 0 {
		rules = append(rules, rule{ports(sorted(c.ExcludeInboundPorts)), leave()})
	}
	for _, name := range sorted(c.ExcludeInterfaces) {
		rules = append(rules, rule{device(expr.MetaKeyIIFNAME, name), leave()})
	}
	return append(rules, rule{enter(chainInRedirect)})
}

// outbound sends what the application calls to the sidecar, and what the sidecar calls in its own pod back to itself:
// so a pod that calls its own service is authenticated like any other client.
func outbound(c Config) []rule {
	lo := func() part { return device(expr.MetaKeyOIFNAME, "lo") }
	var rules []rule
	if address, err := c.podIPv4(); err == nil && address.IsValid() {
		rules = append(rules, rule{lo(), to(loopback4), sidecar(), notPort(names.AdminPort), translateTo(address)})
	}
	rules = append(rules,
		rule{lo(), notTo(loopback4), sidecar(), enter(chainInRedirect)},
		rule{lo(), notTo(loopback6), sidecar(), enter(chainInRedirect)},
		rule{lo(), application(), leave()},
		rule{sidecar(), leave()},
		rule{to(loopback4), leave()},
		rule{to(loopback6), leave()},
	)
	for _, name := range sorted(c.ExcludeInterfaces) {
		rules = append(rules, rule{device(expr.MetaKeyOIFNAME, name), leave()})
	}
	rules = append(rules, each(c.ExcludeOutboundRanges, leave())...)
	if len(c.ExcludeOutboundPorts) > 0 {
		rules = append(rules, rule{ports(sorted(c.ExcludeOutboundPorts)), leave()})
	}
	if len(c.IncludeOutboundRanges) > 0 {
		return append(rules, each(c.IncludeOutboundRanges, enter(chainOutRedirect))...)
	}
	return append(rules, rule{enter(chainOutRedirect)})
}

// each decides about destinations in ranges, with a rule for each address family that has any.
func each(ranges []netip.Prefix, decision part) []rule {
	var rules []rule
	for _, v6 := range []bool{false, true} {
		if family := disjoint(ranges, v6); len(family) > 0 {
			rules = append(rules, rule{within(family, v6), decision})
		}
	}
	return rules
}
