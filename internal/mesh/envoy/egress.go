package envoy

import (
	"fmt"
	"net/netip"
	"slices"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	httpinspectorv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/listener/http_inspector/v3"
	tlsinspectorv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/listener/tls_inspector/v3"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/message"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
)

// egressListeners are the listeners for ports outside the mesh, one for each port. They bind no port: the outbound listener hands them
// the connections to every address that no Service of the mesh has. Connections that no policy allows are closed, or passed through if
// the mesh allows egress.
func egressListeners(s *translation) []*listenerv3.Listener {
	if s.Passthrough || s.IsOnDemand() {
		return nil
	}
	var out []*listenerv3.Listener
	for _, port := range s.EgressPorts {
		out = append(out, egressListener(s, fmt.Sprintf("egress_%d", port.Number), port, egressChains(s, port)))
	}
	return out
}

// egressListener has filter chains for all addresses of a port.
func egressListener(s *translation, name string, port authz.EgressPort, chains []*listenerv3.FilterChain) *listenerv3.Listener {
	listener := newListener(name, anyAddress(port.Number, s.Key.Class), corev3.TrafficDirection_OUTBOUND)
	listener.BindToPort = wrapperspb.Bool(false)
	listener.ListenerFilters = egressInspectors(port)
	listener.ContinueOnListenerFiltersTimeout = len(listener.ListenerFilters) > 0
	listener.AccessLog = s.logs().outboundListener
	listener.FilterChains = chains
	switch {
	case s.Egress:
		listener.DefaultFilterChain = passthroughFilterChain(s)
	case len(listener.FilterChains) == 0:
		listener.FilterChains = noFilterChains()
	}
	return listener
}

// anyAddress has a port of every address of the pod's address families.
func anyAddress(port uint16, class scope.Class) []netip.AddrPort {
	addresses := []netip.AddrPort{netip.AddrPortFrom(netip.IPv4Unspecified(), port)}
	if class.IPv6 {
		addresses = append(addresses, netip.AddrPortFrom(netip.IPv6Unspecified(), port))
	}
	return addresses
}

// egressInspectors read the first bytes of a client where a policy depends on them. Elsewhere a server that sends the first bytes is not
// delayed.
func egressInspectors(port authz.EgressPort) []*listenerv3.ListenerFilter {
	var filters []*listenerv3.ListenerFilter
	if port.HasTLS() {
		filters = append(filters, listenerFilter(tlsInspectorFilter, &tlsinspectorv3.TlsInspector{}))
	}
	if port.HasHTTP() {
		filters = append(filters, listenerFilter(httpInspectorFilter, &httpinspectorv3.HttpInspector{}))
	}
	return filters
}

// egressChains are the filter chains of a port. Envoy selects the longest prefix of the destination first and does not backtrack. So
// each prefix has all chains that apply within it.
func egressChains(s *translation, port authz.EgressPort) []*listenerv3.FilterChain {
	cell := newEgressCell(s, port)
	var out []*listenerv3.FilterChain
	for _, r := range port.Ranges {
		// Sorted prefixes follow those around them, so the others before them end here.
		for len(cell.ranges) > 0 && !cell.ranges[len(cell.ranges)-1].Prefix.Contains(r.Prefix.Addr()) {
			cell.ranges = cell.ranges[:len(cell.ranges)-1]
		}
		cell.prefix, cell.ranges = r.Prefix, append(cell.ranges, r)
		out = append(out, cell.chains()...)
	}
	cell.prefix, cell.ranges = netip.Prefix{}, nil
	return append(out, cell.chains()...)
}

// egressCell is a part of the destinations on a port: a prefix without the longer ones, or the addresses outside all prefixes.
type egressCell struct {
	scope  *translation
	number uint16
	// setting is that of connections to ranges.
	setting string
	// http is true if the port has hosts for HTTP, and hosts are those for TLS.
	http   bool
	hosts  []authz.EgressHost
	prefix netip.Prefix
	// ranges are those of the prefix and around it, the shortest prefix first.
	ranges []authz.EgressRange
}

// newEgressCell has no prefix and no ranges.
func newEgressCell(s *translation, port authz.EgressPort) egressCell {
	cell := egressCell{scope: s, number: port.Number, setting: port.Setting, http: port.HasHTTP()}
	cell.hosts = slices.DeleteFunc(slices.Clone(port.Hosts), func(h authz.EgressHost) bool { return !h.TLS })
	return cell
}

func (c egressCell) chains() []*listenerv3.FilterChain {
	var out []*listenerv3.FilterChain
	byName := map[string]bool{}
	var anyTLS bool
	var names []string
	for _, r := range c.ranges {
		if r.Any {
			return []*listenerv3.FilterChain{c.chain("tcp", "", &listenerv3.FilterChainMatch{}, c.toOriginalDestination())}
		}
		anyTLS, names = anyTLS || r.AnyTLS, append(names, r.ServerNames...)
	}
	for _, host := range c.hosts {
		byName[host.Host] = true
		cluster := hostClusterName(host.TLSGateway, catalog.ProtocolHTTPS, host.Host, c.number)
		out = append(out, c.tlsChain(host.Host, tcpEgress(c.scope, c.number, cluster, c.scope.EgressUpstreams[host.Setting])))
	}
	for _, name := range names {
		if !byName[name] {
			byName[name] = true
			out = append(out, c.tlsChain(name, c.toOriginalDestination()))
		}
	}
	if anyTLS {
		out = append(out, c.tlsChain("", c.toOriginalDestination()))
	}
	if c.http {
		// A TLS client may offer the same protocols.
		match := &listenerv3.FilterChainMatch{TransportProtocol: "raw_buffer", ApplicationProtocols: []string{"http/1.0", "http/1.1", "h2c"}}
		out = append(out, c.chain("http", "", match, egressHTTP(c.scope, c.number)))
	}
	return out
}

// egressHTTP handles requests to hosts outside the mesh.
func egressHTTP(s *translation, port uint16) *listenerv3.Filter {
	hcm := outboundHTTP(s, egressRouteName(port), removeSpellings(s)...)
	hcm.AccessLog = s.logs().sharedRequests
	return message.NetworkFilter(hcmFilter, hcm)
}

// tlsChain forwards TLS connections that request a server name; empty for any.
func (c egressCell) tlsChain(name string, filter *listenerv3.Filter) *listenerv3.FilterChain {
	match := &listenerv3.FilterChainMatch{TransportProtocol: "tls"}
	if name != "" {
		match.ServerNames = []string{name}
	}
	return c.chain("https", name, match, filter)
}

func (c egressCell) chain(protocol, host string, match *listenerv3.FilterChainMatch, filter *listenerv3.Filter) *listenerv3.FilterChain {
	name := fmt.Sprintf("egress-%s.%d", protocol, c.number)
	if c.prefix.IsValid() {
		match.PrefixRanges = []*corev3.CidrRange{cidrRange(c.prefix)}
		name += "|" + c.prefix.String()
	}
	if host != "" {
		name += "|" + host
	}
	return &listenerv3.FilterChain{Name: name, FilterChainMatch: match, Filters: []*listenerv3.Filter{filter}}
}

func (c egressCell) toOriginalDestination() *listenerv3.Filter {
	return tcpEgress(c.scope, c.number, originalPortName(c.number), c.scope.EgressUpstreams[c.setting])
}

func tcpEgress(s *translation, port uint16, cluster string, upstream *scope.Upstream) *listenerv3.Filter {
	return tcpSplit(s.logs().outboundConnections, fmt.Sprintf("egress-tcp-proxy.%d", port), []weightedCluster{{cluster: cluster, weight: 1}}, tcpIdleTimeout(upstream))
}

func cidrRange(prefix netip.Prefix) *corev3.CidrRange {
	return &corev3.CidrRange{AddressPrefix: prefix.Addr().String(), PrefixLen: wrapperspb.UInt32(uint32(prefix.Bits()))} //nolint:gosec // 0 to 128
}

// egressRouteConfigs are the route configurations of the ports outside the mesh with hosts for HTTP. A host leads to its own cluster,
// whatever address the client chose: an application cannot reach another address by naming an allowed host.
func egressRouteConfigs(s *translation) []*routev3.RouteConfiguration {
	var out []*routev3.RouteConfiguration
	for _, port := range s.EgressPorts {
		if s.Passthrough || !port.HasHTTP() {
			continue
		}
		config := &routev3.RouteConfiguration{Name: egressRouteName(port.Number), ValidateClusters: wrapperspb.Bool(false)}
		for _, host := range port.Hosts {
			if host.HTTP {
				config.VirtualHosts = append(config.VirtualHosts, egressVirtualHost(s, port.Number, host))
			}
		}
		config.VirtualHosts = append(config.VirtualHosts, otherHosts(s, port.Number))
		out = append(out, config)
	}
	return out
}

func egressVirtualHost(s *translation, port uint16, h authz.EgressHost) *routev3.VirtualHost {
	cluster := hostClusterName(h.HTTPGateway, inventory.ProtocolHTTP, h.Host, port)
	if h.BackendTLS != nil {
		if h.BackendTLS.Unusable {
			return outsideHost(s, h.Host, port, h.Restricted, h.Matches, unencryptable())
		}
		cluster = encryptedClusterName(h.Host, port)
	}
	forwarded := forward([]weightedCluster{{cluster: cluster, weight: 1}}, requestTimeout(s.EgressUpstreams[h.Setting]), outsideRetryPolicy())
	return outsideHost(s, h.Host, port, h.Restricted, h.Matches, &routev3.Route{Action: forwarded})
}

// outsideHost handles the requests to a host with the action of a route, and rejects those that no policy allows.
func outsideHost(s *translation, name string, port uint16, restricted bool, matches []catalog.HTTPMatch, allowed *routev3.Route) *routev3.VirtualHost {
	domain := name
	if address, err := netip.ParseAddr(name); err == nil && address.Is6() {
		domain = "[" + name + "]"
	}
	host := &routev3.VirtualHost{Name: "egress_virtual-host|" + name, Domains: []string{domain, fmt.Sprintf("%s:%d", domain, port)}}
	host.RequestBodyBufferLimit = repeatedBody
	if !restricted {
		host.Routes = []*routev3.Route{{Match: anyRequest(), Action: allowed.GetAction()}}
		return host
	}
	ambiguous := anyRequest()
	ambiguous.PathSpecifier = &routev3.RouteMatch_SafeRegex{SafeRegex: message.Expression(authz.AmbiguousPath)}
	host.Routes = []*routev3.Route{{Match: ambiguous, Action: directResponse(400, "servers read this path in different ways, and the Egress of this host restricts paths\n")}}
	for _, match := range matches {
		host.Routes = append(host.Routes, &routev3.Route{Match: requestMatch(match), Action: allowed.GetAction()})
	}
	host.Routes = append(host.Routes, &routev3.Route{Match: anyRequest(), Action: directResponse(404, "no Egress allows this request to this host\n")})
	protectNames(s, host, false)
	return host
}

// otherHosts handles requests to hosts that no policy names.
func otherHosts(s *translation, port uint16) *routev3.VirtualHost {
	host := &routev3.VirtualHost{Name: "egress_virtual-host|*", Domains: []string{"*"}}
	route := &routev3.Route{Match: anyRequest(), Action: directResponse(404, "no Egress allows this host\n")}
	if s.Egress {
		route.Action = forward([]weightedCluster{{cluster: originalPortName(port), weight: 1}}, 0, nil)
	}
	host.Routes = []*routev3.Route{route}
	return host
}
