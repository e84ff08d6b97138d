package envoy

import (
	"net/netip"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	tlsinspectorv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/listener/tls_inspector/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/openservicemesh/osm-operator/internal/names"
	"github.com/openservicemesh/osm-operator/internal/scope"
)

// outboundDoor takes every connection that was redirected on its way out of the pod and hands it to the listener of its
// destination. What has none is closed, or with egress passed through.
func outboundDoor(s *scope.Scope) *listenerv3.Listener {
	out := bound(outboundListener, names.OutboundPort, s.Key.Class, corev3.TrafficDirection_OUTBOUND)
	out.UseOriginalDst = wrapperspb.Bool(true)
	out.ListenerFilters = []*listenerv3.ListenerFilter{restoreDestination, keepFromOwnDoors()}
	out.AccessLog = refusedLog
	if s.Egress {
		out.DefaultFilterChain = &listenerv3.FilterChain{
			Name:    passthroughChain,
			Filters: []*listenerv3.Filter{tcpTo(passthroughCluster, passthroughCluster)},
		}
		return out
	}
	out.FilterChains = []*listenerv3.FilterChain{{Name: closedChain}}
	return out
}

// keepFromOwnDoors closes plaintext connections to the ports on which the sidecar itself listens, wherever they go. Envoy
// would hand them to its own listener on that port, since that one takes every address: an application that asks another
// pod for its metrics would get its own. A TLS handshake passes, and fails there, since none of them speaks TLS like that.
// On other ports the filter is off: it waits for the client's first bytes, which may never come.
func keepFromOwnDoors() *listenerv3.ListenerFilter {
	filter := listenerFilter(tlsInspectorFilter, &tlsinspectorv3.TlsInspector{CloseConnectionOnClientHelloParsingErrors: true})
	own := []*listenerv3.ListenerFilterChainMatchPredicate{
		portRange(names.InboundPort, names.InboundPort),
		portRange(names.PrometheusPort, names.PrometheusPort),
		portRange(names.LivenessPort, names.ReadyPort),
	}
	filter.FilterDisabled = &listenerv3.ListenerFilterChainMatchPredicate{
		Rule: &listenerv3.ListenerFilterChainMatchPredicate_NotMatch{NotMatch: &listenerv3.ListenerFilterChainMatchPredicate{
			Rule: &listenerv3.ListenerFilterChainMatchPredicate_OrMatch{
				OrMatch: &listenerv3.ListenerFilterChainMatchPredicate_MatchSet{Rules: own},
			},
		}},
	}
	return filter
}

// portRange matches destination ports from first to last, both included.
func portRange(first, last int32) *listenerv3.ListenerFilterChainMatchPredicate {
	return &listenerv3.ListenerFilterChainMatchPredicate{
		Rule: &listenerv3.ListenerFilterChainMatchPredicate_DestinationPortRange{
			DestinationPortRange: &typev3.Int32Range{Start: first, End: last + 1},
		},
	}
}

// outboundPorts are the listeners that outboundDoor hands connections to. They bind nothing. One is small and says nothing
// about the client, so that a new Service costs each sidecar one listener, and all sidecars share it.
func outboundPorts(reachable []destination) []*listenerv3.Listener {
	var out []*listenerv3.Listener
	for _, d := range reachable {
		for _, addresses := range d.listeners {
			name := outboundListenerName(d.Outbound)
			if d.Headless() {
				name = headlessListenerName(addresses[0])
			}
			out = append(out, unbound(name, addresses, d.Outbound))
		}
	}
	return out
}

// destination is a port that the client can reach: at least one of its addresses is of a family that the pod has, and no other
// destination was before it.
type destination struct {
	scope.Outbound
	// listeners are the addresses of each listener.
	listeners [][]netip.AddrPort
}

func destinations(s *scope.Scope) []destination {
	if s.Transparent {
		return nil
	}
	taken := map[netip.AddrPort]bool{}
	var out []destination
	for _, o := range s.Outbound {
		d := destination{Outbound: o}
		for _, addresses := range listened(o) {
			if addresses = usable(addresses, s.Key.Class, taken); len(addresses) > 0 {
				d.listeners = append(d.listeners, addresses)
			}
		}
		if len(d.listeners) > 0 {
			out = append(out, d)
		}
	}
	return out
}

// listened are the addresses of a port, those of one listener together. Each address of a pod of a headless Service has a listener of
// its own, so that the coming and going of one pod leaves connections to the others alone, and so that two Services with the same pods
// can hand an address to each other.
func listened(o scope.Outbound) [][]netip.AddrPort {
	var virtual []netip.AddrPort
	var single [][]netip.AddrPort
	for _, a := range o.Addresses {
		asked, pod := netip.AddrPortFrom(a, o.Port), netip.AddrPortFrom(a, o.PodPort)
		virtual = append(virtual, asked)
		single = append(single, []netip.AddrPort{asked}, []netip.AddrPort{pod})
	}
	if o.Headless() {
		return single
	}
	return [][]netip.AddrPort{virtual}
}

func unbound(name string, addresses []netip.AddrPort, o scope.Outbound) *listenerv3.Listener {
	out := listener(name, addresses, corev3.TrafficDirection_OUTBOUND)
	out.BindToPort = wrapperspb.Bool(false)
	out.FilterChains = []*listenerv3.FilterChain{outboundChain(o)}
	return out
}

// outboundChain has no listener filters on its way: a server that speaks first is heard at once.
func outboundChain(o scope.Outbound) *listenerv3.FilterChain {
	chain := &listenerv3.FilterChain{Name: outboundChainName(o)}
	to := backends(o, o.Backends)
	switch {
	case o.Protocol.IsHTTP():
		chain.Filters = []*listenerv3.Filter{outboundHTTP(outboundRouteName(o))}
	case len(to) > 0:
		chain.Filters = []*listenerv3.Filter{tcpSplit("outbound-mesh-tcp-proxy_"+chain.Name, to, tcpIdle(o.Upstream))}
	}
	return chain
}
