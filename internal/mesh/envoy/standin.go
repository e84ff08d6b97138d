package envoy

import (
	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	prioritiesv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/retry/priority/previous_priorities/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/message"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
)

// A Service of a peer can stand in for one of this mesh. Its endpoint has the next priority: Envoy uses it while no endpoint of this mesh is available. A share
// of the requests can have a cluster with the priorities the other way round. So a request to either mesh is repeated in the other one.

// matchNamespace is the key of the metadata by which Envoy chooses the TLS of an endpoint, and peerField its field with the name of a peer.
const (
	matchNamespace = "envoy.transport_socket_match"
	peerField      = "peer"
)

// standInFactor keeps all requests in this mesh as long as one endpoint of a hundred is available. By default, Envoy begins to use the next priority when less
// than 72% are.
const standInFactor = 100 * 100

// addStandIn adds the TLS for a peer to a cluster. All endpoints of this mesh can be ejected: the peer answers then. Without roots of the peer, nothing
// is added, and its gateway closes connections with the TLS of this mesh.
func addStandIn(s *translation, out *clusterv3.Cluster, standIn *scope.PeerDestination, service entity.Name) {
	peer, trusted := trustedPeer(s, standIn.Peer)
	serverName, ok := identity.PeerServerName(service.Name, service.Namespace, standIn.Port, peer.TrustDomain, s.TrustDomain)
	if !trusted || !ok {
		return
	}
	out.TransportSocketMatches = []*clusterv3.Cluster_TransportSocketMatch{{
		Name: peer.Name, Match: structOf(peerField, peer.Name), TransportSocket: peerClientTLS(s, serverName, peer, standIn.Servers),
	}}
	out.CommonLbConfig = &clusterv3.Cluster_CommonLbConfig{HealthyPanicThreshold: &typev3.Percent{Value: 0}}
	out.OutlierDetection = proto.CloneOf(out.GetOutlierDetection())
	if out.GetOutlierDetection().GetMaxEjectionPercent().GetValue() <= ejectUnreachable.GetMaxEjectionPercent().GetValue() {
		out.OutlierDetection.MaxEjectionPercent = wrapperspb.UInt32(100)
	}
}

// addStandInEndpoints adds the way to the peer, with the next priority, or the first one. Active checks do not concern it: they would end at the gateway of
// this mesh.
func addStandInEndpoints(assignment *endpointv3.ClusterLoadAssignment, e scope.Endpoints) {
	if len(e.StandIns) == 0 {
		return
	}
	group := &endpointv3.LocalityLbEndpoints{Locality: &corev3.Locality{Zone: "peer-" + e.Key.Peer}}
	for _, address := range e.StandIns {
		endpoint := message.Endpoint(socketAddress(address))
		endpoint.Metadata = &corev3.Metadata{FilterMetadata: map[string]*structpb.Struct{matchNamespace: structOf(peerField, e.Key.Peer)}}
		endpoint.GetEndpoint().HealthCheckConfig = &endpointv3.Endpoint_HealthCheckConfig{DisableActiveHealthCheck: true}
		group.LbEndpoints = append(group.LbEndpoints, endpoint)
	}
	if e.Key.PeerFirst {
		assignment.Endpoints = append([]*endpointv3.LocalityLbEndpoints{group}, assignment.GetEndpoints()...)
	} else {
		assignment.Endpoints = append(assignment.Endpoints, group)
	}
	for i, ordered := range assignment.GetEndpoints() {
		ordered.Priority = uint32(i)
	}
	assignment.Policy = &endpointv3.ClusterLoadAssignment_Policy{OverprovisioningFactor: wrapperspb.UInt32(standInFactor)}
}

func structOf(key, value string) *structpb.Struct {
	return &structpb.Struct{Fields: map[string]*structpb.Value{key: structpb.NewStringValue(value)}}
}

// attemptsHere is how many endpoints of this mesh get a request before it is repeated at the peer. The default has one attempt more.
const attemptsHere = 2

// nextPriority repeats a request at the next priority, also while endpoints of the first one still seem to be available.
var nextPriority = &routev3.RetryPolicy_RetryPriority{
	Name: "envoy.retry_priorities.previous_priorities",
	ConfigType: &routev3.RetryPolicy_RetryPriority_TypedConfig{
		TypedConfig: message.Any(&prioritiesv3.PreviousPrioritiesConfig{UpdateFrequency: attemptsHere}),
	},
}

// repeatAtStandIn makes the routes of a virtual host repeat requests at the next priority.
func repeatAtStandIn(host *routev3.VirtualHost) {
	for _, route := range host.GetRoutes() {
		if action := route.GetRoute(); action.GetRetryPolicy() != nil {
			action.RetryPolicy = proto.CloneOf(action.GetRetryPolicy()) // the default is shared
			action.RetryPolicy.RetryPriority = nextPriority
		}
	}
}
