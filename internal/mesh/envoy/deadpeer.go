package envoy

import (
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// A peer that loses power or its network closes nothing. Without these limits, a request to it waits until the kernel gives up, after a quarter
// of an hour, and an idle session is lost without notice.
const (
	// keepaliveIdle is the time without data after which the kernel asks whether the peer is alive. Load balancers and NAT outside the cluster forget
	// connections after 350 seconds.
	keepaliveIdle     = time.Minute
	keepaliveInterval = 10 * time.Second
	keepaliveProbes   = 3

	// serverTimeout is how long data to servers that decide about requests or receive logs and traces may stay unacknowledged. They read small messages
	// at once, and each request waits for them. For other connections, see message.DataTimeout.
	serverTimeout = 30 * time.Second

	// pingInterval is the time between two HTTP/2 pings of a connection to a sidecar or gateway, and pingTimeout how long the answer may take. A connection
	// without requests for pingIdle is checked before the next one. Applications and servers outside get no pings: those with gRPC close
	// connections with frequent ones.
	pingInterval = 30 * time.Second
	pingTimeout  = 10 * time.Second
	pingIdle     = 10 * time.Second
)

var tcpKeepalive = &corev3.TcpKeepalive{
	KeepaliveProbes:   wrapperspb.UInt32(keepaliveProbes),
	KeepaliveTime:     wrapperspb.UInt32(uint32(keepaliveIdle.Seconds())),
	KeepaliveInterval: wrapperspb.UInt32(uint32(keepaliveInterval.Seconds())),
}

var upstreamKeepalive = &clusterv3.UpstreamConnectionOptions{TcpKeepalive: tcpKeepalive}

var http2Pings = &corev3.KeepaliveSettings{
	Interval: durationpb.New(pingInterval), Timeout: durationpb.New(pingTimeout), ConnectionIdleInterval: durationpb.New(pingIdle),
}

// detectDeadPeers makes the kernel end idle connections of a cluster whose peer has vanished. DataTimeout of the bootstrap ends those with data.
func detectDeadPeers(c *clusterv3.Cluster) { c.UpstreamConnectionOptions = upstreamKeepalive }

// detectDeadClients makes the kernel end idle connections that a listener accepted from another pod or from outside. The keepalive of the application reaches
// its own sidecar only, and a session of a client that has vanished would hold its locks until the idle timeout.
func detectDeadClients(l *listenerv3.Listener) { l.TcpKeepalive = tcpKeepalive }
