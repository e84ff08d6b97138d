package envoy

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	tlsinspectorv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/listener/tls_inspector/v3"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// inboundPort is a container port of the workload, with every Service port that targets it.
type inboundPort struct {
	scope.Inbound
	ports []uint16
}

// mergeInbound merges elements with the same Service and target port, which Envoy cannot distinguish. An HTTP protocol wins, because only
// HTTP requests are authorized; otherwise the lowest Service port wins.
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
		out[i].ports = lists.Unique(out[i].ports)
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

// inboundListenerOf accepts the connections that were redirected on their way into the pod. It closes those that match
// no chain, plaintext in particular, unless the mesh is in teardown.
func inboundListenerOf(s *translation, inbound []inboundPort) *listenerv3.Listener {
	out := newBoundListener(inboundListener, names.InboundPort, s.Key.Class, corev3.TrafficDirection_INBOUND)
	detectDeadClients(out)
	out.ListenerFilters = []*listenerv3.ListenerFilter{
		originalDestination,
		listenerFilter(tlsInspectorFilter, &tlsinspectorv3.TlsInspector{}),
	}
	out.AccessLog = s.logs().inboundListener
	clients, peers := scope.MaxPodClientChains, peerClients(s, inbound)
	for _, in := range inbound {
		out.FilterChains = append(out.FilterChains, inboundChain(s, in, serverTLS(s, inboundTrustName(s.Key.Identity, in))))
		if chains := clientChains(s, in); len(chains) <= clients {
			out.FilterChains, clients = append(out.FilterChains, chains...), clients-len(chains)
		}
		if !in.Protocol.IsHTTP() {
			out.FilterChains = append(out.FilterChains, healthChain(in, serverTLS(s, InboundTrustName(s.Key.Identity))))
		}
		out.FilterChains = append(out.FilterChains, peerChains(s, in, peers)...)
	}
	addIngressChains(out, s, inbound)
	if s.AcceptAnyClient {
		addPlaintextChains(s, out, inbound)
	}
	return out
}

// handshakeTimeout is how long a client may take for its TLS handshake. Nothing is known about it until then.
var handshakeTimeout = durationpb.New(10 * time.Second)

// inboundChain authorizes connections to one port and forwards them to the application.
func inboundChain(s *translation, in inboundPort, tls *corev3.TransportSocket) *listenerv3.FilterChain {
	return newInboundChain(in, inboundChainName(in), inboundProxy(s, in, inboundRouteName(in)), tls)
}

// newInboundChain has permissions of its own, which its name leads to.
func newInboundChain(in inboundPort, name string, proxy *listenerv3.Filter, tls *corev3.TransportSocket) *listenerv3.FilterChain {
	return &listenerv3.FilterChain{
		Name:             name,
		FilterChainMatch: inboundMatch(in, meshALPN),
		Filters: slices.Concat(
			[]*listenerv3.Filter{
				discoveredFilter(chainRBACName(name), networkRBACType),
				discoveredFilter(connectionLimitName(in), connectionLimitType),
			},
			globalConnectionLimit(in.Limits),
			[]*listenerv3.Filter{proxy},
		),
		TransportSocket: tls,

		TransportSocketConnectTimeout: handshakeTimeout,
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

// discoveredFilter gets its configuration from the extension resource of the same name. A changed configuration does
// not affect open connections.
func discoveredFilter(name, typeURL string) *listenerv3.Filter {
	return &listenerv3.Filter{
		Name: name,
		ConfigType: &listenerv3.Filter_ConfigDiscovery{ConfigDiscovery: &corev3.ExtensionConfigSource{
			ConfigSource: ads,
			TypeUrls:     []string{typeURL},
		}},
	}
}

func inboundProxy(s *translation, in inboundPort, routeConfig string) *listenerv3.Filter {
	if in.Protocol.IsHTTP() {
		return inboundHTTP(s, routeConfig, in)
	}
	local := localClusterName(in.Service, in.TargetPort)
	return tcpToApplication(s.logs().inboundConnections, "inbound-mesh-tcp-proxy."+local, local, in.IdleTimeout, connectMode(in))
}

// plaintextDetectionTimeout is how long a client may send nothing before its connection counts as plaintext. Sidecars
// begin the TLS handshake much earlier. Clients of server-first protocols wait for it.
const plaintextDetectionTimeout = time.Second

// addPlaintextChains forwards connections that match no chain of the mesh to the application, only on ports that the
// mesh serves: other ports may be the sidecar's own.
//
// Envoy matches the server name before the protocol and does not backtrack. The application's own TLS to a server name
// of the mesh therefore needs a separate chain.
func addPlaintextChains(s *translation, listener *listenerv3.Listener, inbound []inboundPort) {
	listener.ListenerFiltersTimeout = durationpb.New(plaintextDetectionTimeout)
	listener.ContinueOnListenerFiltersTimeout = true
	done := map[uint16]bool{}
	for _, in := range inbound {
		byServerName := inboundMatch(in, "")
		byServerName.ApplicationProtocols = nil
		listener.FilterChains = append(listener.FilterChains, plaintextChain(s, in, fmt.Sprintf("%s%s_%d", plaintextChainPrefix, in.Service, in.TargetPort), byServerName))
		if done[in.TargetPort] {
			continue
		}
		done[in.TargetPort] = true
		anyServerName := &listenerv3.FilterChainMatch{DestinationPort: wrapperspb.UInt32(uint32(in.TargetPort))}
		listener.FilterChains = append(listener.FilterChains, plaintextChain(s, in, fmt.Sprintf("%s%d", plaintextChainPrefix, in.TargetPort), anyServerName))
	}
}

// plaintextChain forwards connections to the application unchanged.
func plaintextChain(s *translation, in inboundPort, name string, match *listenerv3.FilterChainMatch) *listenerv3.FilterChain {
	local := localClusterName(in.Service, in.TargetPort)
	return &listenerv3.FilterChain{
		Name: name, FilterChainMatch: match,
		Filters: []*listenerv3.Filter{tcpToCluster(s.logs().inboundConnections, "inbound-open-tcp-proxy."+local, local)},
	}
}
