package scope

import (
	"net/netip"

	"github.com/openservicemesh/osm-operator/internal/authz"
	"github.com/openservicemesh/osm-operator/internal/catalog"
	"github.com/openservicemesh/osm-operator/internal/identity"
)

// Key identifies a scope; equal keys get equal configuration. It is comparable.
type Key struct {
	Identity identity.ServiceAccount
	// Services are the Services the pod backs, "<namespace>/<name>" sorted and joined by commas.
	Services string
	Class    Class
}

// Class is what else may differ between the sidecars of one identity.
type Class struct {
	// Revision is the MeshRevision whose injector made the sidecar.
	Revision string
	// IPv6 is true when the pod has an IPv6 address: only then may Envoy bind one.
	IPv6 bool
	// Metrics is true when the sidecar serves its metrics to scrapers.
	Metrics bool
}

// Scope is the configuration of one kind of sidecar as plain data. All lists are sorted; it is immutable.
type Scope struct {
	Key         Key
	TrustDomain string
	TLS         catalog.TLS
	// Egress lets connections to unknown destinations pass through.
	Egress bool
	// Open lets in whoever asks, also without TLS: the mesh is being taken apart.
	Open bool
	// Transparent sends every new connection unchanged to where it was going. Outbound and Clusters are for those that stand.
	Transparent bool
	// Inbound holds one element for each port of each Service the workload backs.
	Inbound []Inbound
	// Outbound holds one element for each port of each Service that the identity may call.
	Outbound []Outbound
	// Clusters are the destinations that Outbound refers to, each once.
	Clusters []Cluster
	// Retries say how this client's sidecar repeats failed requests; Services that it cannot call may be among them. They are
	// apart from Outbound because they are the only thing about a destination that depends on who asks in a permissive mesh.
	Retries []Retry
}

// Inbound is one port of one Service that the workload backs.
type Inbound struct {
	Service catalog.Name
	// Port is the Service's port, TargetPort the container's.
	Port       uint16
	TargetPort uint16
	Protocol   catalog.Protocol
	Rules      authz.Rules
	// Limits bound what the port takes; nil does not.
	Limits *Limits
	// DrainMark differs from the one before when a source was taken away: the sidecar then drains this port, so that a
	// connection does not outlive its permission. Empty at first.
	DrainMark string
}

// Outbound is one port of one Service that the identity may call.
type Outbound struct {
	Service  catalog.Name
	Port     uint16
	Protocol catalog.Protocol
	// Addresses are the virtual addresses, or for a headless Service those of its pods.
	Addresses []netip.Addr
	// PodPort is the port on which the pods of a headless Service are reached; 0 otherwise. Clients of a headless
	// Service connect to a pod's address directly, on the Service's port or the pod's: both are intercepted.
	PodPort uint16
	// Routes divide some of the requests, in the order in which they are asked. Only HTTP ports have any.
	Routes []OutboundRoutes
	// Backends share the traffic that Routes leave by weight: the Service itself, or those of a TrafficSplit. Empty or with a
	// total weight of 0: there is no route.
	Backends []Backend
	// Upstream is how clients treat what they ask this Service for; nil leaves everything at its default.
	Upstream *Upstream
}

// OutboundRoutes are the requests that a TrafficSplit with matches divides.
type OutboundRoutes struct {
	// Matches select the requests, as the client has written them; any one is enough.
	Matches []catalog.HTTPMatch
	// Backends are as those of an Outbound.
	Backends []Backend
}

// Headless says whether clients connect to the pods' own addresses.
func (o Outbound) Headless() bool { return o.PodPort != 0 }

// Backend is a weighted reference to a Cluster.
type Backend struct {
	// Cluster is the name of an element of Scope.Clusters.
	Cluster string
	Weight  uint32
}

// Cluster is one port of a Service as a destination.
type Cluster struct {
	Service    catalog.Name
	TargetPort uint16
	Protocol   catalog.Protocol
	// Identities are those behind the Service that this client may call, sorted: the server must prove to be one of them.
	Identities []identity.ServiceAccount
	// Endpoints names the endpoints that this client may use.
	Endpoints EndpointsKey
	// Upstream is how clients treat their connections to this Service; nil leaves everything at its default.
	Upstream *Upstream
}

// Name is OSM's cluster name, "<namespace>/<service>|<target port>".
func (c Cluster) Name() string { return ClusterName(c.Service, c.TargetPort) }

// EndpointsKey identifies the endpoints of one port of a Service as seen by clients that may call the same identities
// behind it. It is comparable; equal keys share one resource whatever their scopes.
type EndpointsKey struct {
	Service    catalog.Name
	TargetPort uint16
	// Identities lists the allowed identities ("<namespace>/<name>", sorted, joined by commas); empty means all.
	Identities string
}

// Endpoints is what an EndpointsKey stands for at the moment.
type Endpoints struct {
	Key EndpointsKey
	// Addresses take new connections, sorted.
	Addresses []netip.AddrPort
}
