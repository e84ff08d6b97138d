package envoy

import (
	"math"
	"net/netip"
	"slices"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/message"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// connectTimeout bounds connecting and the TLS handshake together. A client waits this long for the address of a
// deleted pod before it tries another endpoint.
const connectTimeout = 2 * time.Second

// outsideConnectTimeout is connectTimeout for destinations outside the mesh. They may be far away, and one lost packet costs a second.
const outsideConnectTimeout = 5 * time.Second

// ownClusters are the clusters that do not belong to a destination: the application, any address, and the metrics of the sidecar.
func ownClusters(s *translation, inbound []inboundPort) []*clusterv3.Cluster {
	out := slices.Concat(lists.Map(inbound, localCluster), egressClusters(s), egressGatewayClusters(s), peerGatewayClusters(s),
		extAuthzClusters(s), extensionClusters(s), rateLimitClusters(s, inbound), tracingClusters(s))
	if s.Egress {
		out = append(out, passthroughOriginalDst())
	}
	if s.Key.Class.Metrics {
		out = append(out, adminCluster())
	}
	return out
}

// destinationClusters are the clusters of the destinations. They are equal for all clients with the same destinations.
func destinationClusters(s *translation) []*clusterv3.Cluster {
	out := lists.Map(s.Clusters, func(c scope.Cluster) *clusterv3.Cluster { return destinationCluster(s, c) })
	for _, o := range s.Outbound {
		if needsPodsCluster(o) {
			out = append(out, podsCluster(s, o))
		}
	}
	return out
}

func clusterResources(list []*clusterv3.Cluster) []Resource {
	return newResources(ClusterType, (*clusterv3.Cluster).GetName, list)
}

func destinationCluster(s *translation, c scope.Cluster) *clusterv3.Cluster {
	switch {
	case c.Plain:
		return plainCluster(c)
	case c.Peer != nil:
		return peerCluster(s, c)
	default:
		return meshCluster(s, c)
	}
}

// serviceCluster is one port of a Service as a destination. EDS delivers its endpoints under the cluster's name.
func serviceCluster(c scope.Cluster) *clusterv3.Cluster {
	out := newCluster(c.Name(), clusterv3.Cluster_EDS)
	detectDeadPeers(out)
	out.EdsClusterConfig = &clusterv3.Cluster_EdsClusterConfig{EdsConfig: ads}
	if c.Destination.IsValid() {
		out.AltStatName = scope.ClusterName(c.Service, c.TargetPort)
	}
	out.Metadata = serviceMetadata(c.Service)
	return out
}

// meshCluster has servers of this mesh.
func meshCluster(s *translation, c scope.Cluster) *clusterv3.Cluster {
	out := serviceCluster(c)
	if c.Protocol.IsHTTP() {
		// Many clients that choose in turn send equally to a slow pod. An endpoint that accepts nothing has the fewest requests, and retries of requests
		// avoid it. Further attempts of a TCP connection do not, so they need the turn.
		out.LbPolicy = clusterv3.Cluster_LEAST_REQUEST
	}
	out.TransportSocket = clientTLS(s, c.Service, c.Identities)
	out.TypedExtensionProtocolOptions = sidecarHTTP(c.Protocol, c.HTTP, c.Upstream)
	applyConnectionSettings(out, c.Upstream)
	out.OutlierDetection = ejectUnreachable
	if c.Upstream != nil {
		if o := c.Upstream.OutlierDetection; o != nil {
			out.OutlierDetection = outlierDetection(o)
		}
		out.HealthChecks = healthChecks(c)
		// Without this, Envoy keeps calling removed endpoints for as long as their checks succeed.
		out.IgnoreHealthOnHostRemoval = len(out.HealthChecks) > 0
	}
	if c.StandIn != nil {
		addStandIn(s, out, c.StandIn, c.Service)
	}
	if c.Endpoints.PeerFirst {
		out.ConnectTimeout = durationpb.New(outsideConnectTimeout)
	}
	return out
}

// podsCluster connects to the address that the client chose, always on the pod's port. It has no health checks: no
// other pod can take the request.
func podsCluster(s *translation, o scope.Outbound) *clusterv3.Cluster {
	out := newOriginalDstCluster(podsClusterName(o.Service, o.PodPort))
	out.LbConfig = &clusterv3.Cluster_OriginalDstLbConfig_{OriginalDstLbConfig: &clusterv3.Cluster_OriginalDstLbConfig{
		UpstreamPortOverride: wrapperspb.UInt32(uint32(o.PodPort)),
	}}
	out.Metadata = serviceMetadata(o.Service)
	out.TransportSocket = clientTLS(s, o.Service, serversOf(s, o.Service))
	out.TypedExtensionProtocolOptions = sidecarHTTP(o.Protocol, "", o.Upstream)
	applyConnectionSettings(out, o.Upstream)
	return out
}

// serversOf are the identities behind all ports of a Service.
func serversOf(s *translation, service entity.Name) []identity.ServiceAccount {
	var servers []identity.ServiceAccount
	first, _ := slices.BinarySearchFunc(s.Clusters, service, func(c scope.Cluster, name entity.Name) int { return c.Service.Compare(name) })
	for _, c := range s.Clusters[first:] {
		if c.Service != service {
			break
		}
		servers = append(servers, c.Identities...)
	}
	return servers
}

// localCluster is the application in the sidecar's own pod.
func localCluster(in inboundPort) *clusterv3.Cluster {
	out := loopbackCluster(localClusterName(in.Service, in.TargetPort), in.TargetPort)
	out.Metadata = serviceMetadata(in.Service)
	out.TypedExtensionProtocolOptions = applicationHTTP(in.Protocol)
	return out
}

// passthroughOriginalDst forwards connections to unknown destinations unchanged.
func passthroughOriginalDst() *clusterv3.Cluster {
	out := newOriginalDstCluster(PassthroughCluster)
	out.ConnectTimeout = durationpb.New(outsideConnectTimeout)
	return out
}

// adminCluster is Envoy's admin interface, for the metrics listener.
func adminCluster() *clusterv3.Cluster { return loopbackCluster(metricsCluster, names.AdminPort) }

func loopbackCluster(name string, port uint16) *clusterv3.Cluster {
	out := newCluster(name, clusterv3.Cluster_STATIC)
	out.LoadAssignment = loadAssignment(name, netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), port))
	return out
}

func newOriginalDstCluster(name string) *clusterv3.Cluster {
	out := newCluster(name, clusterv3.Cluster_ORIGINAL_DST)
	detectDeadPeers(out)
	out.LbPolicy = clusterv3.Cluster_CLUSTER_PROVIDED
	return out
}

// newCluster has connections that stay in the pod.
func newCluster(name string, kind clusterv3.Cluster_DiscoveryType) *clusterv3.Cluster {
	out := &clusterv3.Cluster{
		Name:                 name,
		ClusterDiscoveryType: &clusterv3.Cluster_Type{Type: kind},
		ConnectTimeout:       durationpb.New(connectTimeout),
		CircuitBreakers:      noLimits,
	}
	boundServers(out)
	return out
}

// locality is the zone of all endpoints, as in OSM: endpoints are not weighted by zone.
const locality = "local"

// Endpoints is the EDS resource of a cluster. Endpoints of one workload share their metadata.
func Endpoints(clusterName string, e scope.Endpoints) Resource {
	message := loadAssignment(clusterName, e.Addresses...)
	metadata := map[inventory.Workload]*corev3.Metadata{}
	for i, workload := range e.Workloads {
		if metadata[workload] == nil {
			metadata[workload] = workloadMetadata(workload)
		}
		message.GetEndpoints()[0].GetLbEndpoints()[i].Metadata = metadata[workload]
	}
	if e.Key.StandIn {
		addStandInEndpoints(message, e)
	}
	return Resource{TypeURL: EndpointType, Name: clusterName, Message: message}
}

// loadAssignment has no locality when there are no addresses. Envoy then answers that there is no healthy upstream.
func loadAssignment(clusterName string, addresses ...netip.AddrPort) *endpointv3.ClusterLoadAssignment {
	out := &endpointv3.ClusterLoadAssignment{ClusterName: clusterName}
	if len(addresses) == 0 {
		return out
	}
	zone := &endpointv3.LocalityLbEndpoints{Locality: &corev3.Locality{Zone: locality}}
	for _, a := range addresses {
		zone.LbEndpoints = append(zone.LbEndpoints, message.Endpoint(socketAddress(a)))
	}
	out.Endpoints = []*endpointv3.LocalityLbEndpoints{zone}
	return out
}

func socketAddress(a netip.AddrPort) *corev3.Address {
	return message.SocketAddress(a.Addr().Unmap().String(), a.Port())
}

// weightedCluster is a cluster and its weight, at least 1.
type weightedCluster struct {
	cluster string
	weight  uint32
	// filters change requests to the cluster, and their responses; nil for none.
	filters *catalog.HeaderFilters
}

// weightedClusters are the clusters of a list of backends that have a weight. An empty result means that requests have
// no destination. Envoy rejects a total weight beyond 32 bits, so large weights are scaled down together.
func weightedClusters(o scope.Outbound, list []scope.Backend) []weightedCluster {
	if clientChoosesPod(o, list) {
		return []weightedCluster{{cluster: podsClusterName(o.Service, o.PodPort), weight: 1, filters: list[0].Filters}}
	}
	var total uint64
	for _, b := range list {
		total += uint64(b.Weight)
	}
	divisor := uint32(total/math.MaxUint32 + 1)
	var out []weightedCluster
	for _, b := range list {
		if b.Weight > 0 {
			out = append(out, weightedCluster{cluster: b.Cluster, weight: max(1, b.Weight/divisor), filters: b.Filters})
		}
	}
	return out
}

// clientChoosesPod reports whether connections go to the pod that the client chose: the Service is headless and takes
// the requests itself. Load balancing would connect the client to another member of a StatefulSet.
func clientChoosesPod(o scope.Outbound, list []scope.Backend) bool {
	if !o.Headless() || len(list) != 1 {
		return false
	}
	// A TrafficSplit may give the Service itself a weight of 0.
	return list[0].Weight > 0 && list[0].Cluster == scope.ClusterName(o.Service, o.PodPort)
}

// needsPodsCluster reports whether any requests to an outbound port go to the pod that the client chose.
func needsPodsCluster(o scope.Outbound) bool {
	return clientChoosesPod(o, o.Backends) || slices.ContainsFunc(o.HTTPRoutes, func(r scope.HTTPRoute) bool { return clientChoosesPod(o, r.Backends) }) ||
		slices.ContainsFunc(o.ConnectionRoutes, func(r scope.ConnectionRoute) bool { return clientChoosesPod(o, r.Backends) }) ||
		slices.ContainsFunc(o.Routes, func(r scope.OutboundRoutes) bool { return clientChoosesPod(o, r.Backends) })
}

// DrainingCluster is the cluster that marks an Envoy as one from which another one of its pod has taken over. A control plane recognizes the Envoy by
// it when it connects again. Nothing refers to it.
func DrainingCluster() Resource {
	out := newCluster(names.DrainingCluster, clusterv3.Cluster_STATIC)
	return Resource{TypeURL: ClusterType, Name: out.GetName(), Message: out}
}

// UnreadyCluster is the cluster that marks a sidecar as not ready. The readiness probe of the bootstrap prefers it
// while it exists. Its endpoint is a socket that cannot exist, so no application of the pod can answer.
func UnreadyCluster() Resource {
	out := newCluster(names.UnreadyCluster, clusterv3.Cluster_STATIC)
	unconnectable := &corev3.Address{Address: &corev3.Address_Pipe{Pipe: &corev3.Pipe{Path: "/dev/null/not-ready"}}}
	out.LoadAssignment = message.OneEndpoint(out.Name, unconnectable)
	return Resource{TypeURL: ClusterType, Name: out.Name, Message: out}
}
