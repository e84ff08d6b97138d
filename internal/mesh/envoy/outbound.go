package envoy

import (
	"net/netip"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	tlsinspectorv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/listener/tls_inspector/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/message"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// outboundListenerOf accepts the connections that were redirected on their way out of the pod and hands each to the
// listener of its destination. Connections to other destinations are closed, or passed through when egress is enabled. A workload that may call
// nothing has the listener too: without it the kernel would refuse its connections, and nobody would know of them.
func outboundListenerOf(s *translation) *listenerv3.Listener {
	out := newBoundListener(outboundListener, names.OutboundPort, s.Key.Class, corev3.TrafficDirection_OUTBOUND)
	out.UseOriginalDst = wrapperspb.Bool(true)
	out.ListenerFilters = []*listenerv3.ListenerFilter{originalDestination, rejectSidecarPorts()}
	out.AccessLog = s.logs().outboundListener
	if s.Egress {
		out.DefaultFilterChain = passthroughFilterChain(s)
		return out
	}
	out.FilterChains = noFilterChains()
	return out
}

// noFilterChains are the chains of a listener that closes all connections. Envoy does not log connections to a chain without filters, so the only
// chain matches none: no connection has this transport protocol.
func noFilterChains() []*listenerv3.FilterChain {
	return []*listenerv3.FilterChain{{Name: closedChain, FilterChainMatch: &listenerv3.FilterChainMatch{TransportProtocol: "none"}}}
}

// passthroughFilterChain forwards connections unchanged.
func passthroughFilterChain(s *translation) *listenerv3.FilterChain {
	return &listenerv3.FilterChain{Name: passthroughChain, Filters: []*listenerv3.Filter{tcpToCluster(s.logs().outboundConnections,
		PassthroughCluster, PassthroughCluster)}}
}

// rejectSidecarPorts closes plaintext connections to the ports that the sidecar itself listens on, whatever their
// address. Envoy would hand them to its own listener, which binds every address: an application that scrapes another
// pod would get its own pod's metrics.
//
// A TLS handshake passes the filter and fails at that listener. On other ports the filter is disabled, because it
// waits for the client's first bytes, which may never arrive.
func rejectSidecarPorts() *listenerv3.ListenerFilter {
	filter := listenerFilter(tlsInspectorFilter, &tlsinspectorv3.TlsInspector{CloseConnectionOnClientHelloParsingErrors: true})
	own := []*listenerv3.ListenerFilterChainMatchPredicate{
		portRange(names.InboundPort, names.InboundPort),
		portRange(names.PrometheusPort, names.PrometheusPort),
		portRange(names.LivenessPort, names.LastProbePort),
	}
	filter.FilterDisabled = disabledExcept(own)
	return filter
}

// disabledExcept disables a listener filter for all connections that no rule matches.
func disabledExcept(rules []*listenerv3.ListenerFilterChainMatchPredicate) *listenerv3.ListenerFilterChainMatchPredicate {
	enabled := rules[0]
	if len(rules) > 1 {
		enabled = &listenerv3.ListenerFilterChainMatchPredicate{Rule: &listenerv3.ListenerFilterChainMatchPredicate_OrMatch{
			OrMatch: &listenerv3.ListenerFilterChainMatchPredicate_MatchSet{Rules: rules},
		}}
	}
	return &listenerv3.ListenerFilterChainMatchPredicate{Rule: &listenerv3.ListenerFilterChainMatchPredicate_NotMatch{NotMatch: enabled}}
}

// portRange matches destination ports from first to last, both included.
func portRange(first, last int32) *listenerv3.ListenerFilterChainMatchPredicate {
	return &listenerv3.ListenerFilterChainMatchPredicate{
		Rule: &listenerv3.ListenerFilterChainMatchPredicate_DestinationPortRange{
			DestinationPortRange: &typev3.Int32Range{Start: first, End: last + 1},
		},
	}
}

// destinationListeners are the listeners to which the outbound listener hands connections. They bind no port and are
// the same for every client, so a new Service costs each sidecar one small, shared listener.
func destinationListeners(s *translation, reachable []destination) []*listenerv3.Listener {
	var out []*listenerv3.Listener
	for _, d := range reachable {
		for _, addresses := range d.listeners {
			name := outboundListenerName(d.Outbound)
			if d.Headless() {
				name = headlessListenerName(addresses[0])
			}
			out = append(out, newUnboundListener(s, name, addresses, d.Outbound))
		}
	}
	return out
}

// destination is a port that the client can reach: at least one address belongs to an address family of the pod and to
// no earlier destination.
type destination struct {
	scope.Outbound
	// listeners holds the addresses of each listener.
	listeners [][]netip.AddrPort
}

func destinations(s *translation) []destination {
	if s.Passthrough {
		return nil
	}
	taken := make(map[netip.AddrPort]bool, len(s.Outbound))
	out := make([]destination, 0, len(s.Outbound))
	for i := range s.Outbound {
		all := listenerAddresses(&s.Outbound[i])
		listeners := all[:0]
		for _, addresses := range all {
			if addresses = claimAddresses(addresses, s.Key.Class, taken); len(addresses) > 0 {
				listeners = append(listeners, addresses)
			}
		}
		if len(listeners) > 0 {
			out = append(out, destination{s.Outbound[i], listeners})
		}
	}
	return out
}

// listenerAddresses groups the addresses of a port by listener. Each pod address of a headless Service has its own
// listener. A change of one pod then leaves connections to the others alone, and an address can move between two
// Services with the same pods.
func listenerAddresses(o *scope.Outbound) [][]netip.AddrPort {
	if !o.Headless() {
		virtual := make([]netip.AddrPort, len(o.Addresses))
		for i, a := range o.Addresses {
			virtual[i] = netip.AddrPortFrom(a, o.Port)
		}
		return [][]netip.AddrPort{virtual}
	}
	var single [][]netip.AddrPort
	for _, a := range o.Addresses {
		single = append(single, []netip.AddrPort{netip.AddrPortFrom(a, o.Port)}, []netip.AddrPort{netip.AddrPortFrom(a, o.PodPort)})
	}
	return single
}

func newUnboundListener(s *translation, name string, addresses []netip.AddrPort, o scope.Outbound) *listenerv3.Listener {
	out := newListener(name, addresses, corev3.TrafficDirection_OUTBOUND)
	out.BindToPort = wrapperspb.Bool(false)
	if o.Routed && !o.Protocol.IsHTTP() {
		routeConnections(out, s, o)
		return out
	}
	out.FilterChains = []*listenerv3.FilterChain{outboundChain(s, o)}
	return out
}

// outboundChain has no listener filters, so a server that sends the first bytes is not delayed.
func outboundChain(s *translation, o scope.Outbound) *listenerv3.FilterChain {
	chain := &listenerv3.FilterChain{Name: outboundChainName(o)}
	if o.Protocol.IsHTTP() {
		var filters []*hcmv3.HttpFilter
		if hasSessions(&o) {
			filters = append(filters, keepSessions)
		}
		hcm := outboundHTTP(s, outboundRouteName(o), filters...)
		defaultHost(hcm, o.Service)
		chain.Filters = []*listenerv3.Filter{message.NetworkFilter(hcmFilter, hcm)}
	} else {
		chain.Filters = outboundTCP(s, o, weightedClusters(o, o.Backends))
		if s.LoadsOnDemand(&o) {
			chain.Filters = namingClient(o, onDemandTCP(s, o))
		}
	}
	return chain
}

// outboundTCPPrefix is the prefix of the statistics of connections to a TCP port.
func outboundTCPPrefix(o scope.Outbound) string {
	return "outbound-mesh-tcp-proxy_" + outboundChainName(o)
}

// outboundTCP are the filters that forward connections to clusters. Envoy closes connections to a chain without filters.
func outboundTCP(s *translation, o scope.Outbound, to []weightedCluster) []*listenerv3.Filter {
	if len(to) == 0 {
		return nil
	}
	return namingClient(o, tcpSplit(s.logs().outboundConnections, outboundTCPPrefix(o), to, tcpIdleTimeout(o.Upstream)))
}
