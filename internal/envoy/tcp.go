package envoy

import (
	"time"

	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	tcpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/tcp_proxy/v3"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// tcpAttempts is how many endpoints are tried for one connection. Nothing was sent before a connection stands, so trying
// another endpoint is always safe.
const tcpAttempts = 3

// earlyBytes is how much a client may send before the application's port has answered.
const earlyBytes = 16 << 10

// tcpAfterHandshake forwards connections to one cluster once the client has proved its name: the application sees nothing of
// others.
func tcpAfterHandshake(statPrefix, clusterName string) *listenerv3.Filter {
	return tcpProxy(&tcpv3.TcpProxy{
		StatPrefix:          statPrefix,
		ClusterSpecifier:    &tcpv3.TcpProxy_Cluster{Cluster: clusterName},
		UpstreamConnectMode: tcpv3.UpstreamConnectMode_ON_DOWNSTREAM_TLS_HANDSHAKE,
		MaxEarlyDataBytes:   wrapperspb.UInt32(earlyBytes),
	})
}

// tcpTo forwards connections to one cluster.
func tcpTo(statPrefix, clusterName string) *listenerv3.Filter {
	return tcpProxy(&tcpv3.TcpProxy{
		StatPrefix:       statPrefix,
		ClusterSpecifier: &tcpv3.TcpProxy_Cluster{Cluster: clusterName},
	})
}

// tcpSplit forwards connections to several clusters by weight. They are closed when nothing was sent for the time that is idle, or
// if that is 0 for Envoy's hour.
func tcpSplit(statPrefix string, backends []weighted, idle time.Duration) *listenerv3.Filter {
	split := &tcpv3.TcpProxy_WeightedCluster{}
	for _, b := range backends {
		split.Clusters = append(split.Clusters, &tcpv3.TcpProxy_WeightedCluster_ClusterWeight{Name: b.cluster, Weight: b.weight})
	}
	return tcpProxy(&tcpv3.TcpProxy{
		StatPrefix:         statPrefix,
		ClusterSpecifier:   &tcpv3.TcpProxy_WeightedClusters{WeightedClusters: split},
		MaxConnectAttempts: wrapperspb.UInt32(tcpAttempts),
		IdleTimeout:        durationUnlessZero(idle),
	})
}

func tcpProxy(config *tcpv3.TcpProxy) *listenerv3.Filter {
	config.AccessLog = accessLog
	return networkFilter(tcpProxyFilter, config)
}
