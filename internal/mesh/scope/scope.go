package scope

import (
	"net/netip"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/extauthz"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/telemetry"
)

// Key identifies a scope. Sidecars with equal keys get equal configuration. It is comparable.
type Key struct {
	Identity identity.ServiceAccount
	// Services are the Services that select the pod, "<namespace>/<name>", sorted and joined by commas.
	Services string
	// Ports are the numbers of the pod for named target ports of these Services, "<namespace>/<name>/<port>=<number>", in their order
	// and joined by commas.
	Ports string
	// Telemetry is the one in force for the pod; empty if there is none.
	Telemetry entity.Name
	// Authorization and MeshAuthorization are the ExternalAuthorizations in force for the pod, of its namespace and of that of the mesh;
	// empty if there is none.
	Authorization, MeshAuthorization entity.Name
	Class                            Class
	// Tapped is true while the sidecar logs every request, whatever share the mesh logs.
	Tapped bool
	// Proxy is what the Envoy is for.
	Proxy Proxy
	// Gateway is what names.DedicatedGateway returns for the Gateway that the pod belongs to; empty if it serves all of them, or none.
	Gateway string
}

// Proxy is what an Envoy is for. Gateways have no application.
type Proxy string

// The proxies.
const (
	ProxySidecar        Proxy = ""
	ProxyIngressGateway Proxy = "IngressGateway"
	ProxyEgressGateway  Proxy = "EgressGateway"
	ProxyPeerGateway    Proxy = "PeerGateway"
)

// Class has the other properties in which sidecars of one identity may differ.
type Class struct {
	// OnDemand is true when the sidecar loads its destinations at first use. Only the pod decides it, so it never changes while the sidecar runs: ranges
	// of Services that are not known, or not any more, leave it without destinations to load. Gateways always have all destinations.
	OnDemand bool
	// EagerDestinations are the Services that a sidecar with OnDemand has from the beginning, "<namespace>/<name>", sorted and joined by commas. Some may not
	// exist, or the identity may not call them.
	EagerDestinations string
	// IPv6 is true when the pod has an IPv6 address. Envoy may bind one only then.
	IPv6 bool
	// Metrics is true when the sidecar serves its metrics to scrapers.
	Metrics bool
	// OSM is true for a sidecar of Open Service Mesh v1.2, which runs Envoy 1.22 and knows IPv4 only.
	OSM bool
}

// Scope is the configuration of one kind of sidecar or gateway as plain data. All lists are sorted. It is immutable.
type Scope struct {
	Common
	// Sidecar is empty in gateways.
	Sidecar
	// IngressGateway, EgressGateway and PeerGateway are nil in other proxies.
	IngressGateway *IngressGateway
	EgressGateway  *EgressGateway
	PeerGateway    *PeerGateway
}

// Common is what every Scope has.
type Common struct {
	Key Key
	// TrustDomain is the trust domain of the mesh, in which certificates are issued.
	TrustDomain string
	// ClientTrustDomains are accepted from clients and ServerTrustDomains of servers, while the mesh moves to another trust domain. They
	// are sorted and include TrustDomain. Without them, only TrustDomain is accepted.
	ClientTrustDomains, ServerTrustDomains []string
	// KnownTrustDomains are all trust domains that the mesh has had, sorted. Without them, it has had no other one.
	KnownTrustDomains []string
	TLS               catalog.TLS
	// AcceptAnyClient accepts clients without TLS too. It is set during teardown of the mesh.
	AcceptAnyClient bool
	// Tracing receives traces of requests; nil for none.
	Tracing *catalog.Tracing
	// AccessLog replaces the default access log; nil for the default.
	AccessLog *telemetry.AccessLog
	// UnloggedRequests is how many of a million requests have no line in the access log, unless they fail or are slow.
	UnloggedRequests uint32
	// ServerIPs are the virtual addresses of servers outside the mesh that are Services of the cluster, by their hosts. Other servers are
	// resolved by DNS.
	ServerIPs map[string]netip.Addr
	// ServerTLS is how connections to ExtensionServices are encrypted, by their names, "<namespace>/<name>". Connections to others are not.
	ServerTLS map[string]*authz.BackendTLS
	// HostTLS is how connections to other servers of the mesh are encrypted, by their hosts and ports, "<host>:<port>".
	HostTLS map[string]*authz.BackendTLS
	// Limited are the policies that are not complete because of authz.MaxRoutes, sorted. Those of shared destinations are not included.
	Limited []entity.Ref
	// Clusters are the destinations in the mesh, each once.
	Clusters []Cluster
	// Peers are the other meshes to whose workloads the proxy has connections, sorted by name.
	Peers []Peer
}

// Sidecar is the configuration of a proxy with an application.
type Sidecar struct {
	// Egress passes connections to unknown destinations through.
	Egress bool
	// ExternalAuthorization must allow each inbound HTTP request; nil for none.
	ExternalAuthorization *catalog.ExternalAuthorization
	// Authorizations must allow each inbound HTTP request too.
	Authorizations []extauthz.Server
	// Passthrough sends every new connection to its original destination unchanged. Outbound and Clusters then serve
	// open connections only.
	Passthrough bool
	// Inbound has one element per container port of each Service that selects the workload.
	Inbound []Inbound
	// DeniedPorts is how many ports deny all requests because their routes are beyond authz.MaxRoutes, or do not exist because they are
	// beyond authz.MaxOwnPorts.
	DeniedPorts int
	// Ingress has the ports that clients outside the mesh may reach.
	Ingress []Ingress
	// Outbound has one element per port of each Service that the identity may call. It refers to Clusters.
	Outbound []Outbound
	// Divided are the destinations of Services whose requests policies divide or route, if the client may call them directly too. LoadOnDemand needs them.
	Divided []Cluster
	// ServiceRanges are the ranges of virtual addresses, sorted, if Class.OnDemand. A sidecar loads destinations within them at the first connection.
	ServiceRanges []netip.Prefix
	// ServicesOutside are the virtual addresses and ports of Services that are not in the mesh, sorted, if the sidecar may call destinations outside
	// the mesh and loads those in the mesh by their addresses.
	ServicesOutside []netip.AddrPort
	// EagerDestinations are the names of clusters that the sidecar has without asking for them, sorted. Some may not exist.
	EagerDestinations []string
	// EgressPorts are the destinations outside the mesh that policies allow, by port.
	EgressPorts []authz.EgressPort
	// EgressUpstreams has the client-side settings that EgressPorts name.
	EgressUpstreams map[string]*Upstream
	// EgressAuthorities are those of the policies by which requests to EgressPorts are encrypted, each once.
	EgressAuthorities []EgressAuthorities
	// EgressGatewayService is that of the egress gateway; nil if no destination of EgressPorts uses it.
	EgressGatewayService *EgressGatewayService
	ClientPolicies
}

// Inbound is one port of a Service that selects the workload.
type Inbound struct {
	Service entity.Name
	// Port is the Service's port, TargetPort the container's.
	Port       uint16
	TargetPort uint16
	Protocol   inventory.Protocol
	Rules      authz.Rules
	// Peers are the clients of other meshes, sorted by peer. Limits of requests count for each peer apart.
	Peers []PeerInbound
	// Limits bound the traffic to the port; nil means no limit.
	Limits *Limits
	// IdleTimeout is after what time without data a connection to a TCP port is closed; 0 is Envoy's default of an hour.
	IdleTimeout time.Duration
	// DecodeSlashes is true if escaped slashes in paths count as slashes when requests are matched. Otherwise such requests are rejected.
	DecodeSlashes bool
}

// Outbound is one port of a Service that the identity may call.
type Outbound struct {
	Service  entity.Name
	Port     uint16
	Protocol inventory.Protocol
	// Addresses are the virtual addresses, or the pod addresses of a headless Service.
	Addresses []netip.Addr
	// PodPort is the pods' port of a headless Service; 0 otherwise. Clients of a headless Service connect to a pod's
	// address on the Service's port or on the pod's port; both are intercepted.
	PodPort uint16
	// NamesClient is true if the sidecars of clients name their account to the server: on TCP ports in namespaces that are not permissive.
	NamesClient bool
	// StandIn is true if a Service of another mesh can stand in for one of the destinations.
	StandIn bool
	// LookedUp is true if one of the destinations is a gateway of another mesh whose DNS name sidecars look up. It has no endpoints.
	LookedUp bool
	// Imported is true if the Service is also known by its name in the cluster set, because it is imported from another mesh.
	Imported bool
	// Routed is true if routes of the Gateway API apply: HTTPRoutes, in order, or ConnectionRoutes on ports without HTTP. Routes and Backends are then
	// empty. Requests that no route matches have status 404, and connections are closed.
	Routed           bool
	HTTPRoutes       []HTTPRoute
	ConnectionRoutes []ConnectionRoute
	// Routes apply to some requests, in order. Only HTTP ports have any.
	Routes []OutboundRoutes
	// Backends receive the traffic that no route selects, by weight: the Service itself, or the backends of a
	// TrafficSplit. If the list is empty or all weights are 0, the traffic has no destination.
	Backends []Backend
	// Upstream has the client-side settings for this Service; nil means defaults.
	Upstream *Upstream
}

// OutboundRoutes are the routes of a TrafficSplit with matches.
type OutboundRoutes struct {
	// Matches select the requests as the client sent them; any one is enough.
	Matches []catalog.HTTPMatch
	// Backends are like those of an Outbound.
	Backends []Backend
}

// Headless reports whether clients connect to the pods' own addresses.
func (o Outbound) Headless() bool { return o.PodPort != 0 }

// Backend is a weighted reference to a Cluster.
type Backend struct {
	// Cluster is the name of an element of Scope.Clusters.
	Cluster string
	Weight  uint32
	// Filters change the requests of a route to this backend, and their responses; nil for none.
	Filters *catalog.HeaderFilters
}

// Cluster is one port of a Service as a destination.
type Cluster struct {
	Service    entity.Name
	TargetPort uint16
	Protocol   inventory.Protocol
	// Identities are those behind the Service that this client may call, sorted. The server must prove one of them.
	Identities []identity.ServiceAccount
	// Endpoints identifies the endpoints that this client may use.
	Endpoints EndpointsKey
	// Upstream has the client-side settings for this Service; nil means defaults.
	Upstream *Upstream
	// HTTP is the version of the requests to the cluster. Only gateways set it.
	HTTP HTTPVersion
	// Destination is the one by which sidecars ask for the cluster; zero if they have it from the start.
	Destination netip.AddrPort
	// Peer is set if the servers are those of another mesh. There are no Identities then.
	Peer *PeerDestination
	// StandIn is a Service of another mesh that answers while no endpoint of this one does; nil for none.
	StandIn *PeerDestination
	// Plain is true if the proxy forwards the bytes of its clients, which have their own TLS.
	Plain bool
}

// HasEndpoints reports whether the control plane sends endpoints for the cluster. Sidecars look up the gateway of a peer with a DNS name themselves.
func (c Cluster) HasEndpoints() bool { return c.Peer == nil || c.Peer.Gateway.Host == "" }

// HTTPVersion is the version of HTTP in which requests are forwarded. If it is empty, it is that of the client's request.
type HTTPVersion string

// Versions of HTTP.
const (
	HTTP1 HTTPVersion = "http/1.1"
	HTTP2 HTTPVersion = "h2"
)

// Name is OSM's cluster name, "<namespace>/<service>|<target port>". With HTTP2 it ends with "|h2", because a gateway may forward requests in both versions
// to one port. That for the share of a peer ends with "|peer". A cluster that sidecars ask for has the name OnDemandName.
func (c Cluster) Name() string {
	if c.Destination.IsValid() {
		return OnDemandName(c.Destination)
	}
	return clusterName(c.Service, c.TargetPort, c.HTTP == HTTP2, c.Endpoints.PeerFirst)
}

// EndpointsKey identifies the endpoints of one port of a Service for clients that may call the same identities. It is
// comparable. Equal keys share one resource across scopes.
type EndpointsKey struct {
	Service    entity.Name
	TargetPort uint16
	// Identities lists the allowed identities ("<namespace>/<name>", sorted, joined by commas). Empty means all.
	Identities string
	// HTTP2 is true for the endpoints of a cluster with HTTP2. Envoy does not wait for endpoints of a new cluster if another one has them already.
	HTTP2 bool
	// Destination is that of the cluster, for the same reason.
	Destination netip.AddrPort
	// Peer is the name of the peer whose Service it is, or stands in for this one, and PeerPort the port there; empty for others.
	Peer     string
	PeerPort uint16
	// StandIn is true if the Service of the peer stands in for this one.
	StandIn bool
	// PeerFirst is true if the endpoints of this mesh stand in for the peer instead: the cluster receives the peer's share of the requests.
	PeerFirst bool
}

// ClusterName is the name of the cluster that has the endpoints.
func (k EndpointsKey) ClusterName() string {
	if k.Destination.IsValid() {
		return OnDemandName(k.Destination)
	}
	return clusterName(k.Service, k.TargetPort, k.HTTP2, k.PeerFirst)
}

// Endpoints are the current endpoints of an EndpointsKey.
type Endpoints struct {
	Key EndpointsKey
	// Addresses accept new connections. They are sorted.
	Addresses []netip.AddrPort
	// StandIns lead to a peer while no other address accepts connections, or with Key.PeerFirst before them.
	StandIns []netip.AddrPort
	// Workloads are those of the addresses, in their order, or nil.
	Workloads []inventory.Workload
}
