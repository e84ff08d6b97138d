package envoy

import (
	"time"

	accesslogv3 "github.com/envoyproxy/go-control-plane/envoy/config/accesslog/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	tcpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/tcp_proxy/v3"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/openservicemesh/osm-operator/internal/envoy/message"
)

// maxConnectAttempts is how many endpoints are tried for one connection. No bytes were sent before a connection is
// established, so another attempt is always safe.
const maxConnectAttempts = 3

// maxEarlyBytes is how much a client may send before the connection to the application is established.
const maxEarlyBytes = 16 << 10

// tcpAfterHandshake forwards connections to one cluster once the TLS handshake has verified the client. The
// application does not see connections of other clients. It closes connections that are idle for the given time; 0 is
// Envoy's default of an hour.
func tcpAfterHandshake(logs []*accesslogv3.AccessLog, statPrefix, clusterName string, idle time.Duration) *listenerv3.Filter {
	return tcpProxy(logs, &tcpv3.TcpProxy{
		IdleTimeout:         durationUnlessZero(idle),
		StatPrefix:          statPrefix,
		ClusterSpecifier:    &tcpv3.TcpProxy_Cluster{Cluster: clusterName},
		UpstreamConnectMode: tcpv3.UpstreamConnectMode_ON_DOWNSTREAM_TLS_HANDSHAKE,
		MaxEarlyDataBytes:   wrapperspb.UInt32(maxEarlyBytes),
	})
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
