package catalog

import (
	"cmp"
	"net/netip"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
)

// Name is the namespace and name of an object.
type Name struct {
	Namespace string
	Name      string
}

// String is "<namespace>/<name>".
func (n Name) String() string { return n.Namespace + "/" + n.Name }

// Compare orders by namespace, then name.
func (n Name) Compare(other Name) int {
	return cmp.Or(cmp.Compare(n.Namespace, other.Namespace), cmp.Compare(n.Name, other.Name))
}

// Kind is the kind of an entry.
type Kind string

// Kinds of entries.
const (
	KindNamespace      Kind = "Namespace"
	KindServiceAccount Kind = "ServiceAccount"
	KindPod            Kind = "Pod"
	KindService        Kind = "Service"
	KindEndpointSlice  Kind = "EndpointSlice"
	KindTrafficTarget  Kind = "TrafficTarget"
	KindHTTPRouteGroup Kind = "HTTPRouteGroup"
	KindTCPRoute       Kind = "TCPRoute"
	KindTrafficSplit   Kind = "TrafficSplit"
	// KindUpstreamTrafficSetting is here because Egresses refer to such policies, which package upstream has.
	KindUpstreamTrafficSetting Kind = "UpstreamTrafficSetting"
	KindEgress                 Kind = "Egress"
	KindExtensionService       Kind = "ExtensionService"
	KindGatewayClass           Kind = "GatewayClass"
	KindGateway                Kind = "Gateway"
	KindHTTPRoute              Kind = "HTTPRoute"
	KindGRPCRoute              Kind = "GRPCRoute"
	KindTLSRoute               Kind = "TLSRoute"
	// KindGatewayTCPRoute is the TCPRoute of the Gateway API. KindTCPRoute is that of SMI.
	KindGatewayTCPRoute Kind = "TCPRoute.gateway.networking.k8s.io"
	KindReferenceGrant  Kind = "ReferenceGrant"
	// KindGatewayCertificate entries are the Secrets that Gateways refer to.
	KindGatewayCertificate Kind = "GatewayCertificate"
	// KindGatewayAuthorities entries are the ConfigMaps with the authorities of clients that Gateways refer to.
	KindGatewayAuthorities Kind = "GatewayAuthorities"
	KindBackendTLSPolicy   Kind = "BackendTLSPolicy"
	// KindBackendAuthorities entries are the ConfigMaps with the authorities of servers that BackendTLSPolicies refer to.
	KindBackendAuthorities Kind = "BackendAuthorities"
	// KindEgressCredential entries are the Secrets that Egresses refer to.
	KindEgressCredential Kind = "EgressCredential"
	// KindNamespaceLabels entries are separate from those of KindNamespace, because an edit of labels rarely affects anything.
	KindNamespaceLabels Kind = "NamespaceLabels"
	KindServiceCIDR     Kind = "ServiceCIDR"
	KindSettings        Kind = "Settings"
)

// Ref names one entry.
type Ref struct {
	Kind Kind
	Name Name
}

// Entry is one object of the mesh as plain data.
type Entry interface {
	// Ref identifies the entry. Two entries with equal Refs are versions of the same object.
	Ref() Ref
	// Deps appends the dependencies that the entry has: a scope with one of them may change with the entry. Queries find entries by
	// them, so this is the only place that names them.
	Deps(list []Dep) []Dep
}

// Change replaces the entry with this Ref, or removes it when Entry is nil.
type Change struct {
	Ref   Ref
	Entry Entry
	// Exists is true if the object exists, although nothing of it can be used and Entry is nil. Problem is why, a sentence; empty if it is not known.
	Exists  bool
	Problem string
	// Created is when the object was created; zero when unknown. It only determines which of two policies is newer.
	Created time.Time
	// Generation is the object's metadata.generation, or its numeric resourceVersion when its kind has no generations;
	// 0 when unknown. It identifies the version of the object in traces.
	Generation int64
	// Received is when the watch delivered the object; zero when unknown.
	Received time.Time
}

// Set is the change that stores e.
func Set(e Entry) Change { return Change{Ref: e.Ref(), Entry: e} }

// Namespace records whether a namespace is part of the mesh. Namespaces outside the mesh have no entry or Monitored
// false.
type Namespace struct {
	Name      string
	Monitored bool
	// Permissive overrides Settings.Permissive for the Services of this namespace; nil does not.
	Permissive *bool
	// EgressGateway is true if everything that Egresses of this namespace allow goes through the egress gateway.
	EgressGateway bool
	// DecodeSlashes is true if escaped slashes in paths count as slashes, unless a Service says otherwise.
	DecodeSlashes bool
}

// Ref identifies one entry.
func (n *Namespace) Ref() Ref { return Ref{KindNamespace, Name{Namespace: n.Name}} }

// Deps implements Entry.
func (n *Namespace) Deps(list []Dep) []Dep {
	own := Name{Namespace: n.Name}
	list = append(list,
		Dep{Kind: DepServices}, Dep{Kind: DepEgressGateway},
		Dep{DepNamespaceServices, own}, Dep{DepPermissive, own}, Dep{DepRequiresEgressGateway, own}, Dep{DepEscapedSlashes, own}, Dep{DepMember, own},
	)
	if n.Permissive != nil {
		list = append(list, Dep{Kind: DepPermissiveOverrides})
	}
	return list
}

// ServiceAccount exists for its UID: tokens of a deleted and recreated account are invalid.
type ServiceAccount struct {
	Name Name
	UID  string
}

// Ref implements Entry.
func (s *ServiceAccount) Ref() Ref { return Ref{KindServiceAccount, s.Name} }

// Deps implements Entry.
func (s *ServiceAccount) Deps(list []Dep) []Dep {
	return append(list, Dep{DepAccount, s.Name})
}

// Pod is the part of a pod that the mesh uses.
type Pod struct {
	Name           Name
	UID            string
	ServiceAccount string
	IPs            []netip.Addr
	Labels         map[string]string
	// Workload is what manages the pod, for labels of metrics. It grants nothing.
	Workload Workload
	// Ports maps the names of container ports to their numbers.
	Ports map[string]uint16
	// Injected is true when the pod carries the mesh's sidecar.
	Injected bool
	// OSMSidecar is true when the pod has a sidecar of Open Service Mesh instead. Until its certificate from the same
	// authority expires, it proves its identity to clients. It connects to this control plane only while a bridge is open.
	OSMSidecar bool
	// Revision is the MeshRevision whose injector added the sidecar; empty without one.
	Revision string
	// OnDemand is true when the sidecar loads its destinations at first use.
	OnDemand bool
	// EagerDestinations are the Services that such a sidecar has from the beginning, "<namespace>/<name>", sorted and joined by commas.
	EagerDestinations string
	// Metrics is true when the pod is annotated for scraping, so its sidecar serves metrics.
	Metrics bool
	// Finished is true when the pod has succeeded or failed. Services do not select it any more.
	Finished bool
	// Terminating is true from the deletion of the pod until it is gone. Its endpoints count as terminating, also while EndpointSlices do not say so yet.
	Terminating bool
	// NodeUnreachable is true when Kubernetes has marked the pod as not ready only because its node does not report. Its containers were ready.
	NodeUnreachable bool
}

// Workload is what manages a pod, such as a Deployment, or the pod itself.
type Workload struct{ Kind, Name string }

// Ref implements Entry.
func (p *Pod) Ref() Ref { return Ref{KindPod, p.Name} }

// Deps implements Entry.
func (p *Pod) Deps(list []Dep) []Dep {
	return append(list, Dep{DepPod, p.Name})
}

// Identity is the workload identity of the pod.
func (p *Pod) Identity() identity.ServiceAccount {
	return identity.ServiceAccount{Namespace: p.Name.Namespace, Name: p.ServiceAccount}
}

// Protocol is how the mesh handles a Service port. The values are OSM's.
type Protocol string

// Protocols of Service ports.
const (
	ProtocolHTTP           Protocol = "http"
	ProtocolGRPC           Protocol = "grpc"
	ProtocolTCP            Protocol = "tcp"
	ProtocolTCPServerFirst Protocol = "tcp-server-first"
)

// IsHTTP reports whether requests, not only connections, are routed and authorized.
func (p Protocol) IsHTTP() bool { return p == ProtocolHTTP || p == ProtocolGRPC }

// Service is a Kubernetes Service.
type Service struct {
	Name Name
	// ClusterIPs are the virtual addresses; a headless Service has none.
	ClusterIPs []netip.Addr
	// Selector selects the pods behind the Service; empty if its EndpointSlices are handwritten.
	Selector map[string]string
	// Ports are sorted by number.
	Ports []Port
	// AllowedNamespaces are those to which the egress gateway forwards, if this is its Service.
	AllowedNamespaces []string
	// DecodeSlashes overrides that of the namespace; nil does not.
	DecodeSlashes *bool
}

// Ref implements Entry.
func (s *Service) Ref() Ref { return Ref{KindService, s.Name} }

// Deps implements Entry.
func (s *Service) Deps(list []Dep) []Dep {
	return append(list, Dep{DepService, s.Name}, Dep{DepNamespaceServices, Name{Namespace: s.Name.Namespace}})
}

// Headless reports whether clients connect to the pods' own addresses.
func (s *Service) Headless() bool { return len(s.ClusterIPs) == 0 }

// Port is one port of a Service.
type Port struct {
	Name   string
	Number uint16
	// TargetPort is the container's port; 0 when TargetName names it instead.
	TargetPort uint16
	TargetName string
	Protocol   Protocol
	// TLS is true if the application itself uses TLS, inside that of the mesh. Its protocol is ProtocolTCP.
	TLS bool
	// HTTP2 is true if the application has HTTP/2 without TLS, and maybe nothing else. Its protocol is ProtocolHTTP or ProtocolGRPC.
	HTTP2 bool
	// Assumed is true if neither an appProtocol nor the name of the port declares its protocol, which then is ProtocolHTTP.
	Assumed bool
}

// EndpointSlice is part of the endpoints of a Service.
type EndpointSlice struct {
	Name    Name
	Service Name
	// Ports maps the names of the Service's ports to the endpoints' port numbers.
	Ports     map[string]uint16
	Endpoints []Endpoint
}

// Ref implements Entry.
func (s *EndpointSlice) Ref() Ref { return Ref{KindEndpointSlice, s.Name} }

// Deps implements Entry.
func (s *EndpointSlice) Deps(list []Dep) []Dep {
	return append(list, Dep{DepEndpoints, s.Service})
}

// Endpoint is one address behind a Service. Its identity comes from its pod only.
type Endpoint struct {
	Address netip.Addr
	// Pod is empty if the endpoint names none. Then it can count only behind a Service without a selector.
	Pod Name
	// Ready is true when the endpoint accepts new traffic. Terminating endpoints are used when no other is ready.
	Ready       bool
	Terminating bool
}

// TrafficTarget grants sources access to a destination (access.smi-spec.io).
type TrafficTarget struct {
	Name        Name
	Destination identity.ServiceAccount
	Sources     []identity.ServiceAccount
	Rules       []TargetRule
}

// Ref implements Entry.
func (t *TrafficTarget) Ref() Ref { return Ref{KindTrafficTarget, t.Name} }

// Deps implements Entry.
func (t *TrafficTarget) Deps(list []Dep) []Dep {
	list = append(list, Dep{DepTargetsTo, Name(t.Destination)})
	for _, source := range t.Sources {
		list = append(list, Dep{DepTargetsFrom, Name(source)})
	}
	return list
}

// TargetRule refers to a route object in the TrafficTarget's namespace.
type TargetRule struct {
	// Kind is KindHTTPRouteGroup or KindTCPRoute.
	Kind Kind
	Name string
	// Matches selects matches of an HTTPRouteGroup by name; empty means all of them (SMI).
	Matches []string
}

// HTTPRouteGroup holds named HTTP matches (specs.smi-spec.io).
type HTTPRouteGroup struct {
	Name    Name
	Matches []HTTPMatch
}

// Ref implements Entry.
func (g *HTTPRouteGroup) Ref() Ref { return Ref{KindHTTPRouteGroup, g.Name} }

// Deps implements Entry.
func (g *HTTPRouteGroup) Deps(list []Dep) []Dep {
	return append(list, Dep{DepHTTPRouteGroup, g.Name}, Dep{DepRouteGroupsIn, Name{Namespace: g.Name.Namespace}})
}

// HTTPMatch selects requests. Every part that is set must match.
type HTTPMatch struct {
	Name string
	// PathRegex is an RE2 expression that must match the whole path without the query; empty matches every path.
	PathRegex string
	// Methods are upper case and sorted; empty matches every method.
	Methods []string
	// Headers are sorted by name.
	Headers []HeaderMatch
}

// HeaderMatch is an RE2 expression that must match a header's whole value. Name is lower case; "host" is ":authority".
type HeaderMatch struct {
	Name  string
	Regex string
}

// TCPRoute names destination ports (specs.smi-spec.io). No ports means every port.
type TCPRoute struct {
	Name  Name
	Ports []uint16
}

// Ref implements Entry.
func (r *TCPRoute) Ref() Ref { return Ref{KindTCPRoute, r.Name} }

// Deps implements Entry.
func (r *TCPRoute) Deps(list []Dep) []Dep {
	return append(list, Dep{DepTCPRoute, r.Name})
}

// TrafficSplit distributes the traffic of a root Service to backends in its namespace by weight (split.smi-spec.io).
type TrafficSplit struct {
	Name     Name
	Created  time.Time
	Root     Name
	Backends []SplitBackend
	// Matches are the HTTPRouteGroups, in the split's namespace and sorted, that select the requests of this split.
	// Empty selects all requests. A group that does not exist selects none.
	Matches []string
}

// Ref implements Entry.
func (s *TrafficSplit) Ref() Ref { return Ref{KindTrafficSplit, s.Name} }

// Age implements Aged.
func (s *TrafficSplit) Age() time.Time { return s.Created }

// Deps implements Entry.
func (s *TrafficSplit) Deps(list []Dep) []Dep {
	list = append(list, Dep{DepSplit, s.Root}, Dep{DepSplitsIn, Name{Namespace: s.Name.Namespace}})
	for _, backend := range s.Backends {
		list = append(list, Dep{DepSplitsWith, backend.Service})
	}
	return list
}

// SplitBackend is one weighted backend of a TrafficSplit.
type SplitBackend struct {
	Service Name
	Weight  uint32
}

// Settings are the mesh-wide settings from MeshConfig that reach sidecars over xDS.
type Settings struct {
	// Namespace is that of the MeshConfig, whose policies may concern all namespaces; empty without a MeshConfig.
	Namespace string
	// Permissive allows every identity of the mesh to call every Service of the mesh, regardless of TrafficTargets.
	Permissive bool
	// Egress passes connections to unknown destinations through unchanged.
	Egress bool
	TLS    TLS
	// RetryPolicies enables Retry objects.
	RetryPolicies bool
	// IngressBackends enables IngressBackend objects.
	IngressBackends bool
	// ExternalAuthorization is the server that must allow each inbound HTTP request in addition to policies; nil for none.
	ExternalAuthorization *ExternalAuthorization
	// Tracing is the server that receives traces of requests; nil for none.
	Tracing *Tracing
	// EgressPolicies enables Egress objects.
	EgressPolicies bool
	// ActiveHealthChecks makes clients' sidecars check every endpoint that they may call.
	ActiveHealthChecks bool
	// EmptyRulesSelectNothing makes a TrafficTarget rule without matches grant nothing, as in OSM. By default it
	// grants all matches of the group, as in SMI.
	EmptyRulesSelectNothing bool
	// Teardown is the teardown step of a mesh that is being removed.
	Teardown Teardown
}

// ExternalAuthorization is a server on Envoy's authorization API over gRPC.
type ExternalAuthorization struct {
	// Address is a DNS name or an IP address. If it is empty, or Port is 0, the server never answers.
	Address string
	Port    uint16
	// StatPrefix is the prefix of Envoy's statistics about the server.
	StatPrefix string
	// Timeout bounds each decision. Without one in time, FailureModeAllow decides.
	Timeout          time.Duration
	FailureModeAllow bool
}

// Tracing is a server that receives spans.
type Tracing struct {
	// Address is a DNS name or an IP address.
	Address string
	Port    uint16
	// OTLP selects the protocol of OpenTelemetry over gRPC instead of the JSON of Zipkin over HTTP.
	OTLP bool
	// Path is the URL path that accepts spans of Zipkin; empty with OTLP.
	Path string
	// Sampling is the percentage of new traces that are sent, from 0 to 100.
	Sampling float64
}

// Teardown is how sidecars treat pods without a sidecar while a mesh is being removed. The zero value means that the
// mesh stays.
type Teardown int

const (
	// TeardownOpen accepts any client in addition to those that the policies allow.
	TeardownOpen Teardown = iota + 1
	// TeardownPassthrough also passes new outbound connections through unchanged.
	TeardownPassthrough
)

// Ref implements Entry.
func (s *Settings) Ref() Ref { return Ref{Kind: KindSettings} }

// Deps implements Entry.
func (s *Settings) Deps(list []Dep) []Dep {
	return append(list, Dep{Kind: DepSettings})
}

// TLS has the parameters of connections between sidecars, by Envoy's names. Empty values mean Envoy's defaults.
type TLS struct {
	MinVersion   string
	MaxVersion   string
	CipherSuites []string
	ECDHCurves   []string
}
