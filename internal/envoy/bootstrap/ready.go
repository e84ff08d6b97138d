package bootstrap

import (
	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"

	"github.com/openservicemesh/osm-operator/internal/names"
)

const (
	// ReadyPath is the path on names.ReadyPort that answers 200 once the sidecar holds its first configuration.
	ReadyPath         = "/ready"
	readyListenerName = "ready_listener"
	readyClusterName  = "ready_cluster"
)

// readyListener shows one path of the admin interface to the kubelet. Envoy accepts no connection on any listener
// before its first clusters and listeners have arrived, so until then the probe is refused.
func readyListener(c Config) *listenerv3.Listener {
	route := pathRoute(ReadyPath, readyClusterName, ReadyPath, localTimeout)
	return podListener(c, readyListenerName, names.ReadyPort, httpFilters(readyListenerName, []*routev3.Route{route}))
}

func readyCluster() *clusterv3.Cluster { return localCluster(readyClusterName, names.AdminPort) }
