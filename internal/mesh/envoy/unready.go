package envoy

import (
	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"

	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/message"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// UnreadyCluster is the cluster that marks a sidecar as not ready. The readiness probe of the bootstrap prefers it
// while it exists. Its endpoint is a socket that cannot exist, so no application of the pod can answer.
func UnreadyCluster() Resource {
	out := newCluster(names.UnreadyCluster, clusterv3.Cluster_STATIC)
	unconnectable := &corev3.Address{Address: &corev3.Address_Pipe{Pipe: &corev3.Pipe{Path: "/dev/null/not-ready"}}}
	out.LoadAssignment = &endpointv3.ClusterLoadAssignment{ClusterName: out.Name, Endpoints: []*endpointv3.LocalityLbEndpoints{{
		LbEndpoints: []*endpointv3.LbEndpoint{message.Endpoint(unconnectable)},
	}}}
	return Resource{TypeURL: ClusterType, Name: out.Name, Message: out}
}
