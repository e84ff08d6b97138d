package envoy

import (
	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// Bounds of what a sidecar keeps for a peer that reads slowly. With Envoy's defaults, 1 MiB for each connection of both sides and 16 MiB for each stream of
// HTTP/2, a hundred slow downloads need more memory than most sidecars may use.
const (
	// clientBufferBytes is for a connection that a sidecar accepts.
	clientBufferBytes = 256 << 10
	// serverBufferBytes is for a connection that a sidecar opens. What it reads at once is added to the buffer of the client.
	serverBufferBytes = 128 << 10
	// streamWindowBytes is how much of a stream of HTTP/2 may be on its way to a sidecar, or wait in it. That of a connection remains Envoy's, 24 MiB: streams
	// that nobody reads use it up, and all others of the connection wait then.
	streamWindowBytes = 192 << 10
	// localWindowBytes is streamWindowBytes between a sidecar and the application of its pod, where little is on its way.
	localWindowBytes = 128 << 10
	// repeatedBodyBytes is for the body of a request, until the answer begins. A request with a larger one is not repeated.
	repeatedBodyBytes = 1 << 20
)

// boundClients bounds the connections that a listener of a sidecar accepts.
func boundClients(l *listenerv3.Listener) {
	l.PerConnectionBufferLimitBytes = wrapperspb.UInt32(clientBufferBytes)
}

// boundServers bounds the connections that a sidecar opens to the endpoints of a cluster.
func boundServers(c *clusterv3.Cluster) {
	c.PerConnectionBufferLimitBytes = wrapperspb.UInt32(serverBufferBytes)
}

// localStreams are the options of HTTP/2 for connections of the application, and to it.
var localStreams = &corev3.Http2ProtocolOptions{InitialStreamWindowSize: wrapperspb.UInt32(localWindowBytes)}

// boundedStreams are the options of HTTP/2 for a sidecar. The pings may be nil.
func boundedStreams(pings *corev3.KeepaliveSettings) *corev3.Http2ProtocolOptions {
	return &corev3.Http2ProtocolOptions{InitialStreamWindowSize: wrapperspb.UInt32(streamWindowBytes), ConnectionKeepalive: pings}
}

// repeatedBody is the bound of a virtual host whose requests a sidecar repeats or copies. Without it, that of the connection would apply.
var repeatedBody = wrapperspb.UInt64(repeatedBodyBytes)
