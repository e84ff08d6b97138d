package envoy

import (
	"net/netip"
	"slices"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	originaldstv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/listener/original_dst/v3"
	"google.golang.org/protobuf/proto"

	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/message"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
)

// boundListeners are the listeners that bind ports of the pod, and those for ports outside the mesh, which belong to this client.
func boundListeners(s *scope.Scope, inbound []inboundPort) []*listenerv3.Listener {
	out := append(gatewayListeners(s), egressGatewayListeners(s)...)
	if len(inbound) > 0 {
		out = append(out, inboundListenerOf(s, inbound))
	}
	if s.Egress || len(s.Outbound) > 0 || hasEgressChains(s) {
		out = append(out, outboundListenerOf(s))
	}
	out = append(out, egressListeners(s)...)
	if s.Key.Class.Metrics {
		out = append(out, metricsListener(s.Key.Class))
	}
	return out
}

func listenerResources(list []*listenerv3.Listener) []Resource {
	return newResources(ListenerType, (*listenerv3.Listener).GetName, list)
}

// newBoundListener listens on every address of the pod. It binds IPv6 only when the pod has an IPv6 address: Envoy
// rejects a listener that it cannot bind.
func newBoundListener(name string, port uint16, class scope.Class, direction corev3.TrafficDirection) *listenerv3.Listener {
	return newListener(name, anyAddress(port, class), direction)
}

// newListener has all addresses. Envoy names statistics after the first one.
func newListener(name string, addresses []netip.AddrPort, direction corev3.TrafficDirection) *listenerv3.Listener {
	out := &listenerv3.Listener{Name: name, Address: socketAddress(addresses[0]), TrafficDirection: direction}
	for _, a := range addresses[1:] {
		out.AdditionalAddresses = append(out.AdditionalAddresses, &listenerv3.AdditionalAddress{Address: socketAddress(a)})
	}
	return out
}

// claimAddresses returns the addresses of the pod's address families that are not taken yet, and marks them as taken.
func claimAddresses(addresses []netip.AddrPort, class scope.Class, taken map[netip.AddrPort]bool) []netip.AddrPort {
	return slices.DeleteFunc(slices.Clone(addresses), func(a netip.AddrPort) bool {
		if taken[a] || a.Addr().Is6() && !class.IPv6 {
			return true
		}
		taken[a] = true
		return false
	})
}

func listenerFilter(name string, config proto.Message) *listenerv3.ListenerFilter {
	return &listenerv3.ListenerFilter{
		Name:       name,
		ConfigType: &listenerv3.ListenerFilter_TypedConfig{TypedConfig: message.Any(config)},
	}
}

// originalDestination restores the destination that a connection had before it was redirected.
var originalDestination = listenerFilter(originalDstFilter, &originaldstv3.OriginalDst{})
