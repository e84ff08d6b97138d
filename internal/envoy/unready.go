package envoy

import (
	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"

	"github.com/openservicemesh/osm-operator/internal/names"
)

// Unready is the cluster by which a sidecar that has it is not ready: where its bootstrap leads the kubelet's question then. It leads to
// a socket that cannot be, for no application of the pod to answer at.
func Unready() Resource {
	out := cluster(names.UnreadyCluster, clusterv3.Cluster_STATIC)
	nowhere := &corev3.Address{Address: &corev3.Address_Pipe{Pipe: &corev3.Pipe{Path: "/dev/null/not-ready"}}}
	out.LoadAssignment = &endpointv3.ClusterLoadAssignment{ClusterName: out.Name, Endpoints: []*endpointv3.LocalityLbEndpoints{{
		LbEndpoints: []*endpointv3.LbEndpoint{{HostIdentifier: &endpointv3.LbEndpoint_Endpoint{
			Endpoint: &endpointv3.Endpoint{Address: nowhere},
		}}},
	}}}
	return Resource{TypeURL: ClusterType, Name: out.Name, Message: out}
}
