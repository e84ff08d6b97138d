package redirect

import (
	"net/netip"
	"strings"

	"github.com/google/nftables/expr"

	"github.com/openservicemesh/osm-operator/internal/platform/lists"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// Table is the name of the table, of family inet, that holds all rules.
const Table = "osm"

// Names of the chains, equal to OSM's chains of the same purpose.
const (
	chainPrerouting  = "PREROUTING"
	chainOutput      = "OUTPUT"
	chainInbound     = "OSM_PROXY_INBOUND"
	chainInRedirect  = "OSM_PROXY_IN_REDIRECT"
	chainOutbound    = "OSM_PROXY_OUTBOUND"
	chainOutRedirect = "OSM_PROXY_OUT_REDIRECT"
	// chainInvalid has no counterpart in OSM.
	chainInvalid = "OSM_PROXY_INVALID"
)

// rule is a sequence of matchers that ends with a verdict.
type rule []matcher

func (r rule) text() string {
	return strings.Join(lists.Map(r, func(p matcher) string { return p.text }), " ")
}

// chain is an ordered list of rules.
type chain struct {
	name string
	// base chains are attached to a hook of the kernel; other chains are entered by jumps.
	base  bool
	rules []rule
}

var (
	loopback4 = netip.AddrFrom4([4]byte{127, 0, 0, 1})
	loopback6 = netip.IPv6Loopback()
)

// Rules returns the rules that Apply installs in nft syntax, one line for each chain and rule.
func Rules(c Config) ([]string, error) {
	chains, err := buildChains(c)
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

// buildChains returns the chains of the table. Each chain precedes the chains that jump to it.
func buildChains(c Config) ([]chain, error) {
	if err := c.validate(); err != nil {
		return nil, err
	}
	return []chain{
		{name: chainInRedirect, rules: []rule{{isTCP(), redirectTo(names.InboundPort)}}},
		{name: chainOutRedirect, rules: []rule{{isTCP(), redirectTo(names.OutboundPort)}}},
		{name: chainInbound, rules: inbound(c)},
		{name: chainOutbound, rules: outbound(c)},
		{name: chainPrerouting, base: true, rules: []rule{{isTCP(), jump(chainInbound)}}},
		{name: chainOutput, base: true, rules: []rule{{isTCP(), jump(chainOutbound)}}},
		{name: chainInvalid, base: true, rules: invalid(c)},
	}, nil
}

// invalid drops packets of clients that connection tracking takes for none of their connection, for example after lost packets of a large upload. They are not
// redirected like the others, so the kernel would find no connection at their port, and reset it.
func invalid(c Config) []rule {
	var rules []rule
	for _, name := range append([]string{"lo"}, sorted(c.ExcludeInterfaces)...) {
		rules = append(rules, rule{device(expr.MetaKeyIIFNAME, name), returnVerdict()})
	}
	return append(rules, rule{isTCP(), isInvalid(), drop()})
}

// inbound redirects connections of clients to the sidecar, except for the sidecar's own ports and the exclusions.
func inbound(c Config) []rule {
	own := []uint16{names.PrometheusPort, names.LivenessPort, names.ReadinessPort, names.StartupPort, names.ReadyPort}
	rules := []rule{{ports(sorted(append(own, c.ProbePorts...))), returnVerdict()}}
	if len(c.ExcludeInboundPorts) > 0 {
		rules = append(rules, rule{ports(sorted(c.ExcludeInboundPorts)), returnVerdict()})
	}
	for _, name := range sorted(c.ExcludeInterfaces) {
		rules = append(rules, rule{device(expr.MetaKeyIIFNAME, name), returnVerdict()})
	}
	return append(rules, rule{goTo(chainInRedirect)})
}

// outbound redirects connections of the application to the sidecar. It also redirects the sidecar's connections within
// its own pod to itself, so that a pod that calls its own service is authenticated like any other client.
func outbound(c Config) []rule {
	lo := func() matcher { return device(expr.MetaKeyOIFNAME, "lo") }
	var rules []rule
	if address, err := c.podIPv4(); err == nil && address.IsValid() {
		rules = append(rules, rule{lo(), to(loopback4), sidecar(), notPort(names.AdminPort), translateTo(address)})
	}
	rules = append(rules,
		rule{lo(), notTo(loopback4), sidecar(), goTo(chainInRedirect)},
		rule{lo(), notTo(loopback6), sidecar(), goTo(chainInRedirect)},
		rule{lo(), application(), returnVerdict()},
		rule{sidecar(), returnVerdict()},
		rule{to(loopback4), returnVerdict()},
		rule{to(loopback6), returnVerdict()},
	)
	for _, name := range sorted(c.ExcludeInterfaces) {
		rules = append(rules, rule{device(expr.MetaKeyOIFNAME, name), returnVerdict()})
	}
	rules = append(rules, resolvers(c)...)
	rules = append(rules, eachFamily(c.ExcludeOutboundRanges, returnVerdict())...)
	if len(c.ExcludeOutboundPorts) > 0 {
		rules = append(rules, rule{ports(sorted(c.ExcludeOutboundPorts)), returnVerdict()})
	}
	if len(c.IncludeOutboundRanges) > 0 {
		return append(rules, eachFamily(c.IncludeOutboundRanges, goTo(chainOutRedirect))...)
	}
	return append(rules, rule{goTo(chainOutRedirect)})
}

// resolvers lets queries to the name servers of the pod pass.
func resolvers(c Config) []rule {
	if c.RedirectDNS {
		return nil
	}
	ranges := lists.Map(c.Resolvers, func(address netip.Addr) netip.Prefix {
		address = address.Unmap().WithZone("")
		return netip.PrefixFrom(address, address.BitLen())
	})
	return eachFamily(ranges, port(dnsPort), returnVerdict())
}

// eachFamily applies further matchers and a verdict to destinations in ranges, with one rule for each address family in use.
func eachFamily(ranges []netip.Prefix, further ...matcher) []rule {
	var rules []rule
	for _, v6 := range []bool{false, true} {
		if family := disjoint(ranges, v6); len(family) > 0 {
			rules = append(rules, append(rule{within(family, v6)}, further...))
		}
	}
	return rules
}
