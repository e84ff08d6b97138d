package envoy

import (
	"net/netip"
	"slices"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	originaldstv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/listener/original_dst/v3"
	"google.golang.org/protobuf/proto"

	"github.com/openservicemesh/osm-operator/internal/scope"
)

// doors are the listeners that bind ports of the pod.
func doors(s *scope.Scope, inbound []inboundPort) []*listenerv3.Listener {
	var out []*listenerv3.Listener
	if len(inbound) > 0 {
		out = append(out, inboundDoor(s, inbound))
	}
	if s.Egress || len(s.Outbound) > 0 {
		out = append(out, outboundDoor(s))
	}
	if s.Key.Class.Metrics {
		out = append(out, metricsDoor(s.Key.Class))
	}
	return out
}

func listeners(list []*listenerv3.Listener) []Resource {
	return newResources(ListenerType, (*listenerv3.Listener).GetName, list)
}

// bound is a listener on every address of the pod. IPv6 is bound only where the pod has it: Envoy refuses a listener that
// it cannot bind.
func bound(name string, port uint16, class scope.Class, direction corev3.TrafficDirection) *listenerv3.Listener {
	addresses := []netip.AddrPort{netip.AddrPortFrom(netip.IPv4Unspecified(), port)}
	if class.IPv6 {
		addresses = append(addresses, netip.AddrPortFrom(netip.IPv6Unspecified(), port))
	}
	return listener(name, addresses, direction)
}

// listener has all addresses at once; the first one is the main one, for Envoy's statistics only.
func listener(name string, addresses []netip.AddrPort, direction corev3.TrafficDirection) *listenerv3.Listener {
	out := &listenerv3.Listener{Name: name, Address: address(addresses[0]), TrafficDirection: direction}
	for _, a := range addresses[1:] {
		out.AdditionalAddresses = append(out.AdditionalAddresses, &listenerv3.AdditionalAddress{Address: address(a)})
	}
	return out
}

// usable are the addresses of the families that the pod has, without those in taken, which is extended.
func usable(addresses []netip.AddrPort, class scope.Class, taken map[netip.AddrPort]bool) []netip.AddrPort {
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
		ConfigType: &listenerv3.ListenerFilter_TypedConfig{TypedConfig: packed(config)},
	}
}

// restoreDestination finds the destination that the connection had before it was redirected.
var restoreDestination = listenerFilter(originalDstFilter, &originaldstv3.OriginalDst{})
