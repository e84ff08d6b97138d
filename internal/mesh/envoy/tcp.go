package envoy

import (
	"time"

	accesslogv3 "github.com/envoyproxy/go-control-plane/envoy/config/accesslog/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	tcpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/tcp_proxy/v3"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/message"
)

// maxConnectAttempts is how many endpoints are tried for one connection. No bytes were sent before a connection is
// established, so another attempt is always safe.
const maxConnectAttempts = 3

// maxEarlyBytes is how much a client may send before the connection to the application is established.
const maxEarlyBytes = 16 << 10

// tcpToApplication forwards connections of verified clients to the application. It closes connections that are idle for the given time; 0 is
// Envoy's default of an hour.
func tcpToApplication(logs []*accesslogv3.AccessLog, statPrefix, clusterName string, idle time.Duration, mode tcpv3.UpstreamConnectMode) *listenerv3.Filter {
	proxy := &tcpv3.TcpProxy{
		IdleTimeout:         durationUnlessZero(idle),
		StatPrefix:          statPrefix,
		ClusterSpecifier:    &tcpv3.TcpProxy_Cluster{Cluster: clusterName},
		UpstreamConnectMode: mode,
	}
	if mode != tcpv3.UpstreamConnectMode_IMMEDIATE {
		proxy.MaxEarlyDataBytes = wrapperspb.UInt32(maxEarlyBytes)
	}
	return tcpProxy(logs, proxy)
}

// connectMode is the time of the connection to the application: once the TLS handshake has verified the client. Behind a filter that waits
// for a rate limit service, Envoy misses the end of the handshake. The first data of the client comes after it. Clients of server-first
// protocols send none, so their connections are opened at once, and only their data waits for the handshake.
func connectMode(in inboundPort) tcpv3.UpstreamConnectMode {
	switch {
	case in.Limits == nil || in.Limits.GlobalConnections == nil:
		return tcpv3.UpstreamConnectMode_ON_DOWNSTREAM_TLS_HANDSHAKE
	case in.Protocol == catalog.ProtocolTCPServerFirst:
		return tcpv3.UpstreamConnectMode_IMMEDIATE
	default:
		return tcpv3.UpstreamConnectMode_ON_DOWNSTREAM_DATA
	}
}

// tcpToCluster forwards connections to one cluster.
func tcpToCluster(logs []*accesslogv3.AccessLog, statPrefix, clusterName string) *listenerv3.Filter {
	return tcpProxy(logs, &tcpv3.TcpProxy{
		StatPrefix:       statPrefix,
		ClusterSpecifier: &tcpv3.TcpProxy_Cluster{Cluster: clusterName},
	})
}

// tcpSplit forwards connections to several clusters by weight. It closes connections that are idle for the given time;
// 0 is Envoy's default of an hour.
func tcpSplit(logs []*accesslogv3.AccessLog, statPrefix string, weightedClusters []weightedCluster, idle time.Duration) *listenerv3.Filter {
	split := &tcpv3.TcpProxy_WeightedCluster{}
	for _, b := range weightedClusters {
		split.Clusters = append(split.Clusters, &tcpv3.TcpProxy_WeightedCluster_ClusterWeight{Name: b.cluster, Weight: b.weight})
	}
	return tcpProxy(logs, &tcpv3.TcpProxy{
		StatPrefix:         statPrefix,
		ClusterSpecifier:   &tcpv3.TcpProxy_WeightedClusters{WeightedClusters: split},
		MaxConnectAttempts: wrapperspb.UInt32(maxConnectAttempts),
		IdleTimeout:        durationUnlessZero(idle),
	})
}

// tcpProxy logs when the connection to the upstream is established, and at the end.
func tcpProxy(logs []*accesslogv3.AccessLog, config *tcpv3.TcpProxy) *listenerv3.Filter {
	config.AccessLog = logs
	config.AccessLogOptions = &tcpv3.TcpProxy_TcpAccessLogOptions{FlushAccessLogOnConnected: true}
	return message.NetworkFilter(tcpProxyFilter, config)
}
