package envoy

import (
	"net/netip"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/openservicemesh/osm-operator/internal/names"
	"github.com/openservicemesh/osm-operator/internal/scope"
)

// connectTimeout bounds the connection and the TLS handshake together. It is what a client waits for the address of a pod
// that is gone before it tries another one.
const connectTimeout = 2 * time.Second

// clusters are everything that listeners and routes refer to.
func clusters(s *scope.Scope, inbound []inboundPort) []Resource {
	var out []*clusterv3.Cluster
	for _, c := range s.Clusters {
		out = append(out, meshCluster(s, c))
	}
	for _, o := range s.Outbound {
		if reachesPodsDirectly(o) {
			out = append(out, podsCluster(s, o))
		}
	}
	for _, in := range inbound {
		out = append(out, localCluster(in))
	}
	if s.Egress {
		out = append(out, passthrough())
	}
	if s.Key.Class.Metrics {
		out = append(out, adminCluster())
	}
	return newResources(ClusterType, (*clusterv3.Cluster).GetName, out)
}

// meshCluster is one port of a Service as a destination; its endpoints come by EDS under the cluster's own name.
func meshCluster(s *scope.Scope, c scope.Cluster) *clusterv3.Cluster {
	out := cluster(c.Name(), clusterv3.Cluster_EDS)
	out.EdsClusterConfig = &clusterv3.Cluster_EdsClusterConfig{EdsConfig: ads}
	out.TransportSocket = clientTLS(s, c.Service)
	out.TypedExtensionProtocolOptions = upstreamHTTP(c.Protocol, c.Upstream)
	limitConnections(out, c.Upstream)
	if c.Upstream != nil {
		out.OutlierDetection = ejectFailing(c.Upstream.OutlierDetection)
		out.HealthChecks = healthChecks(c)
		// Endpoints that have left are not called again, however healthy they seem.
		out.IgnoreHealthOnHostRemoval = len(out.HealthChecks) > 0
	}
	return out
}

// podsCluster connects to the address the client asked for, on the pod's port whichever of the two ports was asked for. No
// other pod can take its place, so its health decides nothing.
func podsCluster(s *scope.Scope, o scope.Outbound) *clusterv3.Cluster {
	out := originalDst(podsClusterName(o.Service, o.PodPort))
	out.LbConfig = &clusterv3.Cluster_OriginalDstLbConfig_{OriginalDstLbConfig: &clusterv3.Cluster_OriginalDstLbConfig{
		UpstreamPortOverride: wrapperspb.UInt32(uint32(o.PodPort)),
	}}
	out.TransportSocket = clientTLS(s, o.Service)
	out.TypedExtensionProtocolOptions = upstreamHTTP(o.Protocol, o.Upstream)
	limitConnections(out, o.Upstream)
	return out
}

// localCluster is the application in the sidecar's own pod.
func localCluster(in inboundPort) *clusterv3.Cluster {
	out := loopback(localClusterName(in.Service, in.TargetPort), in.TargetPort)
	out.TypedExtensionProtocolOptions = upstreamHTTP(in.Protocol, nil)
	return out
}

// passthrough sends unknown connections where they were going.
func passthrough() *clusterv3.Cluster { return originalDst(passthroughCluster) }

// adminCluster is Envoy's admin interface, for the metrics listener.
func adminCluster() *clusterv3.Cluster { return loopback(metricsCluster, names.AdminPort) }

func loopback(name string, port uint16) *clusterv3.Cluster {
	out := cluster(name, clusterv3.Cluster_STATIC)
	out.LoadAssignment = loadAssignment(name, netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), port))
	return out
}

func originalDst(name string) *clusterv3.Cluster {
	out := cluster(name, clusterv3.Cluster_ORIGINAL_DST)
	out.LbPolicy = clusterv3.Cluster_CLUSTER_PROVIDED
	return out
}

func cluster(name string, kind clusterv3.Cluster_DiscoveryType) *clusterv3.Cluster {
	return &clusterv3.Cluster{
		Name:                 name,
		ClusterDiscoveryType: &clusterv3.Cluster_Type{Type: kind},
		ConnectTimeout:       durationpb.New(connectTimeout),
		CircuitBreakers:      noLimits,
	}
}
