package envoy

import (
	"fmt"
	"time"

	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// silence is how long a client may say nothing before it is taken for one that does not speak TLS: much longer than a sidecar needs to
// begin. The clients of servers that speak first wait for it.
const silence = time.Second

// letAnybodyIn leads to the application what no chain of the mesh takes, on the ports that the mesh leads to as well and on no others:
// the sidecar itself listens on some. Envoy looks for the name of the server before it looks for the protocol, and does not go back; so
// the application's own TLS to a name of the mesh needs a chain of its own.
func letAnybodyIn(door *listenerv3.Listener, inbound []inboundPort) {
	door.ListenerFiltersTimeout = durationpb.New(silence)
	door.ContinueOnListenerFiltersTimeout = true
	done := map[uint16]bool{}
	for _, in := range inbound {
		named := inboundMatch(in, "")
		named.ApplicationProtocols = nil
		door.FilterChains = append(door.FilterChains, openChain(in, fmt.Sprintf("%s%s_%d", openPrefix, in.Service, in.TargetPort), named))
		if done[in.TargetPort] {
			continue
		}
		done[in.TargetPort] = true
		whoever := &listenerv3.FilterChainMatch{DestinationPort: wrapperspb.UInt32(uint32(in.TargetPort))}
		door.FilterChains = append(door.FilterChains, openChain(in, fmt.Sprintf("%s%d", openPrefix, in.TargetPort), whoever))
	}
}

// openChain leads connections to the application as they are.
func openChain(in inboundPort, name string, match *listenerv3.FilterChainMatch) *listenerv3.FilterChain {
	local := localClusterName(in.Service, in.TargetPort)
	return &listenerv3.FilterChain{Name: name, FilterChainMatch: match, Filters: []*listenerv3.Filter{tcpTo("inbound-open-tcp-proxy."+local, local)}}
}
