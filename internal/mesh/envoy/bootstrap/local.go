package bootstrap

import (
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/message"
)

const loopback = "127.0.0.1"

// localTimeout bounds connections inside the pod.
const localTimeout = time.Second

func endpoints(cluster, host string, port uint16) *endpointv3.ClusterLoadAssignment {
	return &endpointv3.ClusterLoadAssignment{ClusterName: cluster, Endpoints: []*endpointv3.LocalityLbEndpoints{{
		LbEndpoints: []*endpointv3.LbEndpoint{message.Endpoint(message.SocketAddress(host, port))},
	}}}
}

// localCluster is a port on the pod's loopback address.
func localCluster(name string, port uint16) *clusterv3.Cluster {
	return &clusterv3.Cluster{
		Name:                 name,
		ClusterDiscoveryType: &clusterv3.Cluster_Type{Type: clusterv3.Cluster_STATIC},
		ConnectTimeout:       durationpb.New(localTimeout),
		LoadAssignment:       endpoints(name, loopback, port),
	}
}

// podListener listens on every address of the pod, for clients outside it.
func podListener(c Config, name string, port uint16, filters ...*listenerv3.Filter) *listenerv3.Listener {
	listener := &listenerv3.Listener{
		Name:         name,
		Address:      message.SocketAddress("0.0.0.0", port),
		FilterChains: []*listenerv3.FilterChain{{Filters: filters}},
	}
	if c.hasIPv6() {
		listener.AdditionalAddresses = []*listenerv3.AdditionalAddress{{Address: message.SocketAddress("::", port)}}
	}
	return listener
}
