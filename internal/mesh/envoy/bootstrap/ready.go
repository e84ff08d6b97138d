package bootstrap

import (
	"net/http"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	aggregatev3 "github.com/envoyproxy/go-control-plane/envoy/extensions/clusters/aggregate/v3"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/message"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

const (
	// ReadyPath is the path on names.ReadyPort that answers 200 once the sidecar has accepted its first configuration.
	ReadyPath             = "/ready"
	readyListenerName     = "ready_listener"
	readyClusterName      = "ready_cluster"
	readyAdminClusterName = "ready_admin_cluster"
)

// readyListener exposes one path of the admin interface to the kubelet. Envoy accepts no connections before its first
// clusters and listeners have arrived, so the probe fails until then.
func readyListener(c Config) *listenerv3.Listener {
	route := pathRoute(http.MethodGet, ReadyPath, readyClusterName, ReadyPath, localTimeout)
	return podListener(c, readyListenerName, names.ReadyPort, httpConnectionManagerFilter(readyListenerName, []*routev3.Route{route}))
}

// readyClusters forward to the admin interface unless the control plane has sent names.UnreadyCluster. Envoy reports
// itself ready after it rejected its first configuration, so its own answer is not enough.
func readyClusters() []*clusterv3.Cluster {
	return []*clusterv3.Cluster{
		{
			Name: readyClusterName,
			ClusterDiscoveryType: &clusterv3.Cluster_ClusterType{ClusterType: &clusterv3.Cluster_CustomClusterType{
				Name:        "envoy.clusters.aggregate",
				TypedConfig: message.Any(&aggregatev3.ClusterConfig{Clusters: []string{names.UnreadyCluster, readyAdminClusterName}}),
			}},
			ConnectTimeout: durationpb.New(localTimeout),
			LbPolicy:       clusterv3.Cluster_CLUSTER_PROVIDED,
		},
		localCluster(readyAdminClusterName, names.AdminPort),
	}
}
