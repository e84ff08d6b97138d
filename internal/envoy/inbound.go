package envoy

import (
	"cmp"
	"slices"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	tlsinspectorv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/listener/tls_inspector/v3"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/openservicemesh/osm-operator/internal/names"
	"github.com/openservicemesh/osm-operator/internal/scope"
)

// inboundPort is one door of the workload, with every Service port that leads to it.
type inboundPort struct {
	scope.Inbound
	ports []uint16
}

// mergeInbound makes one door of what Envoy could not tell apart: elements with the same Service and target port. An HTTP
// protocol wins, because only then requests are authorised; otherwise the lowest Service port does.
func mergeInbound(inbound []scope.Inbound) []inboundPort {
	var out []inboundPort
	for _, in := range slices.SortedStableFunc(slices.Values(inbound), compareInbound) {
		last := len(out) - 1
		if last >= 0 && out[last].Service == in.Service && out[last].TargetPort == in.TargetPort {
			out[last].ports = append(out[last].ports, in.Port)
			continue
		}
		out = append(out, inboundPort{Inbound: in, ports: []uint16{in.Port}})
	}
	for i := range out {
		slices.Sort(out[i].ports)
		out[i].ports = slices.Compact(out[i].ports)
	}
	return out
}

func compareInbound(a, b scope.Inbound) int {
	rank := func(in scope.Inbound) int {
		if in.Protocol.IsHTTP() {
			return 0
		}
		return 1
	}
	return cmp.Or(
		a.Service.Compare(b.Service),
		cmp.Compare(a.TargetPort, b.TargetPort),
		cmp.Compare(rank(a), rank(b)),
		cmp.Compare(a.Port, b.Port),
	)
}

// inboundDoor takes every connection that was redirected on its way into the pod. What matches no chain, plaintext above
// all, is closed, unless the mesh is being taken apart.
func inboundDoor(s *scope.Scope, inbound []inboundPort) *listenerv3.Listener {
	out := bound(inboundListener, names.InboundPort, s.Key.Class, corev3.TrafficDirection_INBOUND)
	out.ListenerFilters = []*listenerv3.ListenerFilter{
		restoreDestination,
		listenerFilter(tlsInspectorFilter, &tlsinspectorv3.TlsInspector{}),
	}
	out.AccessLog = refusedLog
	for _, in := range inbound {
		out.FilterChains = append(out.FilterChains, inboundChain(in, serverTLS(s, inboundTrustName(s.Key.Identity, in))))
		if !in.Protocol.IsHTTP() {
			out.FilterChains = append(out.FilterChains, healthChain(in, serverTLS(s, InboundTrustName(s.Key.Identity))))
		}
	}
	if s.Open {
		letAnybodyIn(out, inbound)
	}
	return out
}

// inboundChain leads one kind of connection to the application, past the question who may connect.
func inboundChain(in inboundPort, tls *corev3.TransportSocket) *listenerv3.FilterChain {
	return &listenerv3.FilterChain{
		Name:             inboundChainName(in),
		FilterChainMatch: inboundMatch(in, meshALPN),
		Filters: []*listenerv3.Filter{
			discovered(inboundRBACName(in), networkRBACType),
			discovered(connectionLimitName(in), connectionLimitType),
			inboundProxy(in),
		},
		TransportSocket: tls,
		Metadata:        drainMark(in.DrainMark),
	}
}

func inboundMatch(in inboundPort, alpn string) *listenerv3.FilterChainMatch {
	return &listenerv3.FilterChainMatch{
		DestinationPort:      wrapperspb.UInt32(uint32(in.TargetPort)),
		ServerNames:          []string{names.ServiceHost(in.Service.Name, in.Service.Namespace)},
		TransportProtocol:    "tls",
		ApplicationProtocols: []string{alpn},
	}
}

// discovered is a filter whose configuration is a resource of its own, so that a change of it leaves open connections alone. The
// filter's name is what Envoy asks for.
func discovered(name, typeURL string) *listenerv3.Filter {
	return &listenerv3.Filter{
		Name: name,
		ConfigType: &listenerv3.Filter_ConfigDiscovery{ConfigDiscovery: &corev3.ExtensionConfigSource{
			ConfigSource: ads,
			TypeUrls:     []string{typeURL},
		}},
	}
}

func inboundProxy(in inboundPort) *listenerv3.Filter {
	if in.Protocol.IsHTTP() {
		return inboundHTTP(inboundRouteName(in))
	}
	local := localClusterName(in.Service, in.TargetPort)
	return tcpAfterHandshake("inbound-mesh-tcp-proxy."+local, local)
}
