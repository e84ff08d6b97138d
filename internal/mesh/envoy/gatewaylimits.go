package envoy

import (
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// Limits of the clients of gateways, as Envoy's documentation recommends for edge proxies. The bootstrap limits their connections.
const (
	gatewayHeadersTimeout = 10 * time.Second
	// gatewayStreamIdleTimeout ends a request without data in both directions.
	gatewayStreamIdleTimeout = 5 * time.Minute
	// gatewayIdleTimeout ends a connection without requests. It is longer than the minute for which load balancers usually keep one.
	gatewayIdleTimeout = 75 * time.Second
	// egressGatewayIdleTimeout is that of the egress gateway, for connections and requests. Its clients are sidecars, which keep connections, and
	// long requests outside the mesh may be quiet.
	egressGatewayIdleTimeout = time.Hour
	// ingressIdleTimeout is that of an IngressBackend, for connections and requests. Ingress controllers keep connections, and a WebSocket or a
	// stream of gRPC may be quiet.
	ingressIdleTimeout           = time.Hour
	gatewayBufferBytes           = 32 << 10
	gatewayMaxStreams            = 100
	gatewayWindowBytes           = 64 << 10
	gatewayConnectionWindowBytes = 1 << 20
)

// limitClients limits what each client of a gateway can occupy.
func limitClients(hcm *hcmv3.HttpConnectionManager, idle, streamIdle time.Duration) {
	hcm.RequestHeadersTimeout = durationpb.New(gatewayHeadersTimeout)
	hcm.StreamIdleTimeout = durationpb.New(streamIdle)
	if hcm.GetCommonHttpProtocolOptions() == nil {
		hcm.CommonHttpProtocolOptions = &corev3.HttpProtocolOptions{}
	}
	hcm.CommonHttpProtocolOptions.IdleTimeout = durationpb.New(idle)
	hcm.Http2ProtocolOptions = &corev3.Http2ProtocolOptions{
		MaxConcurrentStreams:        wrapperspb.UInt32(gatewayMaxStreams),
		InitialStreamWindowSize:     wrapperspb.UInt32(gatewayWindowBytes),
		InitialConnectionWindowSize: wrapperspb.UInt32(gatewayConnectionWindowBytes),
	}
}

// limitBuffers limits the data that a gateway keeps for each connection to a server. All namespaces share its memory.
func limitBuffers(s *translation, clusters []*clusterv3.Cluster) []*clusterv3.Cluster {
	if s.IngressGateway == nil && s.EgressGateway == nil && s.PeerGateway == nil {
		return clusters
	}
	for _, c := range clusters {
		c.PerConnectionBufferLimitBytes = wrapperspb.UInt32(gatewayBufferBytes)
	}
	return clusters
}
