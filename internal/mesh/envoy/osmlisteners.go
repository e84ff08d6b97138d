package envoy

import (
	"net/netip"
	"slices"
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/openservicemesh/osm-operator/internal/platform/lists"
)

// A sidecar of Open Service Mesh has one outbound listener, whose filter chains match the addresses of destinations, as its own control plane made
// it. Envoy exchanges the listener once it has the routes and certificates of all its chains. With a listener for each destination, the outbound one
// would be exchanged before those that it hands connections to are warm, and the connections of that time would be closed.

// osmListeners returns the listeners that bind ports. The outbound one has the filter chains of all others. They have everything in them that other
// sidecars discover, because Envoy 1.22 discovers no network filters. It may change the given listeners.
func (p *parts) osmListeners(listeners []*listenerv3.Listener) []*listenerv3.Listener {
	var bound, unbound []*listenerv3.Listener
	for _, listener := range listeners {
		// Chains for single accounts are not there: all clients use the common chain. That Envoy drains the connections of a chain that changes.
		listener.FilterChains = slices.DeleteFunc(listener.GetFilterChains(),
			func(c *listenerv3.FilterChain) bool { return strings.HasPrefix(c.GetName(), clientChainPrefix) })
		p.inlineFilters(listener)
		if listener.GetBindToPort() != nil {
			unbound = append(unbound, listener)
			continue
		}
		bound = append(bound, listener)
	}
	for _, listener := range bound {
		if listener.GetName() == outboundListener {
			addDestinations(listener, unbound)
		}
	}
	return bound
}

// inlineFilters replaces discovered network filters by their configurations.
func (p *parts) inlineFilters(listener *listenerv3.Listener) {
	for _, chain := range listener.GetFilterChains() {
		for _, filter := range chain.GetFilters() {
			if filter.GetConfigDiscovery() != nil {
				filter.ConfigType = &listenerv3.Filter_TypedConfig{TypedConfig: p.extension(filter.GetName())}
			}
		}
	}
}

// extension returns the configuration of a network filter by its name. A filter that is not known denies everything.
func (p *parts) extension(name string) *anypb.Any {
	if p.extensions == nil {
		p.extensions = map[string]*anypb.Any{}
		for _, r := range append(networkFilters(p.translation, p.inbound), ingressFilters(p.translation)...) {
			p.extensions[r.Name] = r.Message.(*corev3.TypedExtensionConfig).GetTypedConfig()
		}
	}
	if config := p.extensions[name]; config != nil {
		return config
	}
	return denyConnections
}

// addDestinations gives the outbound listener the filter chains of listeners that bind no port, in place of handing connections over to them. An address has
// priority over a port of all addresses, as it has between listeners: Envoy selects the port first, then the longest prefix, and does not backtrack.
func addDestinations(outbound *listenerv3.Listener, unbound []*listenerv3.Listener) {
	outbound.UseOriginalDst, outbound.FilterChains = nil, nil
	taken := map[netip.AddrPort]bool{}
	for _, l := range unbound {
		for _, at := range exactAddresses(l) {
			taken[at] = true
			outbound.FilterChains = append(outbound.FilterChains, chainsAt(at, l.GetFilterChains())...)
		}
	}
	for _, l := range unbound {
		if len(exactAddresses(l)) == 0 {
			outbound.FilterChains = append(outbound.FilterChains, chainsOfPort(firstAddress(l).Port(), l.GetFilterChains(), taken)...)
		}
	}
	if len(outbound.GetFilterChains()) == 0 && outbound.GetDefaultFilterChain() == nil {
		outbound.FilterChains = noFilterChains()
	}
	inspectPorts(outbound, unbound)
}

// exactAddresses are those of a listener for a Service or a pod; none for a listener of a port of all addresses.
func exactAddresses(l *listenerv3.Listener) []netip.AddrPort {
	if firstAddress(l).Addr().IsUnspecified() {
		return nil
	}
	list := []netip.AddrPort{firstAddress(l)}
	for _, more := range l.GetAdditionalAddresses() {
		list = append(list, addrPort(more.GetAddress()))
	}
	return list
}

func firstAddress(l *listenerv3.Listener) netip.AddrPort { return addrPort(l.GetAddress()) }

func addrPort(address *corev3.Address) netip.AddrPort {
	socket := address.GetSocketAddress()
	return netip.AddrPortFrom(netip.MustParseAddr(socket.GetAddress()), uint16(socket.GetPortValue())) //nolint:gosec // a port
}

// chainsAt are the filter chains of a listener for one of its addresses. Connections that none of them matches are closed, and do not use the default chain.
func chainsAt(at netip.AddrPort, chains []*listenerv3.FilterChain) []*listenerv3.FilterChain {
	var out []*listenerv3.FilterChain
	matchesAll := false
	for _, chain := range withoutClosed(chains) {
		matchesAll = matchesAll || len(chain.GetFilterChainMatch().GetServerNames()) == 0
		out = append(out, chainAt(at, chain))
	}
	if !matchesAll {
		out = append(out, chainAt(at, &listenerv3.FilterChain{Name: closedChain}))
	}
	return out
}

// chainAt is a filter chain for one address, with the address in its name. A change of other addresses then leaves its connections alone.
func chainAt(at netip.AddrPort, chain *listenerv3.FilterChain) *listenerv3.FilterChain {
	single := chainOfPort(at.Port(), chain)
	single.Name += "|" + at.String()
	single.FilterChainMatch.PrefixRanges = []*corev3.CidrRange{cidrRange(netip.PrefixFrom(at.Addr(), at.Addr().BitLen()))}
	return single
}

// chainsOfPort are the filter chains of a listener for a port of all addresses, without the addresses that have chains of their own.
func chainsOfPort(port uint16, chains []*listenerv3.FilterChain, taken map[netip.AddrPort]bool) []*listenerv3.FilterChain {
	var out []*listenerv3.FilterChain
	for _, chain := range withoutClosed(chains) {
		single := chainOfPort(port, chain)
		match := single.GetFilterChainMatch()
		before := len(match.GetPrefixRanges())
		match.PrefixRanges = slices.DeleteFunc(match.GetPrefixRanges(), func(r *corev3.CidrRange) bool {
			address, err := netip.ParseAddr(r.GetAddressPrefix())
			return err == nil && int(r.GetPrefixLen().GetValue()) == address.BitLen() && taken[netip.AddrPortFrom(address, port)]
		})
		if before == 0 || len(match.GetPrefixRanges()) > 0 {
			out = append(out, single)
		}
	}
	return out
}

func chainOfPort(port uint16, chain *listenerv3.FilterChain) *listenerv3.FilterChain {
	single := proto.CloneOf(chain)
	if single.GetFilterChainMatch() == nil {
		single.FilterChainMatch = &listenerv3.FilterChainMatch{}
	}
	single.FilterChainMatch.DestinationPort = wrapperspb.UInt32(uint32(port))
	return single
}

// withoutClosed leaves out the chain that a listener without chains has.
func withoutClosed(chains []*listenerv3.FilterChain) []*listenerv3.FilterChain {
	return slices.DeleteFunc(slices.Clone(chains), func(c *listenerv3.FilterChain) bool { return c.GetName() == closedChain })
}

// inspectPorts gives the outbound listener the filters that read the first bytes, for the ports of those listeners that have them. They read on such
// a port whatever the address is. A client that sends nothing reaches its destination after a time, a short one if servers on such a port may send
// the first bytes. The filter for ports of the sidecar is not needed: connections are not handed over to other listeners.
func inspectPorts(outbound *listenerv3.Listener, unbound []*listenerv3.Listener) {
	outbound.ListenerFilters = []*listenerv3.ListenerFilter{originalDestination}
	inspected := map[uint16]bool{}
	for _, name := range []string{tlsInspectorFilter, httpInspectorFilter} {
		filter, ports := inspectorOf(name, unbound)
		if filter == nil {
			continue
		}
		var rules []*listenerv3.ListenerFilterChainMatchPredicate
		for _, port := range ports {
			inspected[port] = true
			rules = append(rules, portRange(int32(port), int32(port)))
		}
		filter = proto.CloneOf(filter)
		filter.FilterDisabled = disabledExcept(rules)
		outbound.ListenerFilters = append(outbound.ListenerFilters, filter)
	}
	outbound.ContinueOnListenerFiltersTimeout = len(inspected) > 0
	if slices.ContainsFunc(unbound, func(l *listenerv3.Listener) bool { return inspected[firstAddress(l).Port()] && mayServerBegin(l) }) {
		outbound.ListenerFiltersTimeout = durationpb.New(plaintextDetectionTimeout)
	}
}

// inspectorOf returns the listener filter with a name, and the ports of the listeners that have it, sorted.
func inspectorOf(name string, listeners []*listenerv3.Listener) (*listenerv3.ListenerFilter, []uint16) {
	var filter *listenerv3.ListenerFilter
	var ports []uint16
	for _, l := range listeners {
		for _, f := range l.GetListenerFilters() {
			if f.GetName() == name {
				filter, ports = f, append(ports, firstAddress(l).Port())
			}
		}
	}
	return filter, lists.Unique(ports)
}

// mayServerBegin reports whether a listener for a Service or a pod forwards connections without reading them.
func mayServerBegin(l *listenerv3.Listener) bool {
	return len(exactAddresses(l)) > 0 && len(l.GetListenerFilters()) == 0 && slices.ContainsFunc(l.GetFilterChains(), func(c *listenerv3.FilterChain) bool {
		return slices.ContainsFunc(c.GetFilters(), func(f *listenerv3.Filter) bool { return f.GetName() == tcpProxyFilter })
	})
}
