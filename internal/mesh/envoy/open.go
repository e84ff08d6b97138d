package envoy

import (
	"fmt"
	"time"

	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
)

// plaintextDetectionTimeout is how long a client may send nothing before its connection counts as plaintext. Sidecars
// begin the TLS handshake much earlier. Clients of server-first protocols wait for it.
const plaintextDetectionTimeout = time.Second

// addPlaintextChains forwards connections that match no chain of the mesh to the application, only on ports that the
// mesh serves: other ports may be the sidecar's own.
//
// Envoy matches the server name before the protocol and does not backtrack. The application's own TLS to a server name
// of the mesh therefore needs a separate chain.
func addPlaintextChains(s *scope.Scope, listener *listenerv3.Listener, inbound []inboundPort) {
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
func plaintextChain(s *scope.Scope, in inboundPort, name string, match *listenerv3.FilterChainMatch) *listenerv3.FilterChain {
	local := localClusterName(in.Service, in.TargetPort)
	return &listenerv3.FilterChain{Name: name, FilterChainMatch: match, Filters: []*listenerv3.Filter{tcpToCluster(loggersOf(s).inboundConnections, "inbound-open-tcp-proxy."+local, local)}}
}
