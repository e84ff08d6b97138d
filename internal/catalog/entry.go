package catalog

import (
	"cmp"
	"net/netip"
	"time"

	"github.com/openservicemesh/osm-operator/internal/identity"
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

// The kinds of entries a catalog holds.
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
	KindRetry          Kind = "Retry"
	// KindUpstreamTrafficSetting and KindBackpressure are both read as UpstreamTrafficSetting.
	KindUpstreamTrafficSetting Kind = "UpstreamTrafficSetting"
	KindBackpressure           Kind = "Backpressure"
	KindSettings               Kind = "Settings"
)

// Ref names one entry.
type Ref struct {
	Kind Kind
	Name Name
}

// Entry is one object of the mesh as plain data.
type Entry interface {
	// Ref names the entry; two entries with equal Refs are versions of the same object.
	Ref() Ref
}

// Change replaces the entry that Ref names, or removes it when Entry is nil.
type Change struct {
	Ref   Ref
	Entry Entry
	// Created is when the object was created; zero when that is not known. It only tells which of two policies is newer.
	Created time.Time
	// Generation is the object's metadata.generation, or its resourceVersion as a number when its kind counts no generations;
	// 0 when that is not known. It tells nobody anything but which version of the object has arrived.
	Generation int64
	// Received is when the watch brought the object, before anything was made of it; zero when that is not known.
	Received time.Time
}

// Set is the change that stores e.
func Set(e Entry) Change { return Change{Ref: e.Ref(), Entry: e} }

// Namespace says whether a namespace is part of the mesh. Namespaces outside the mesh have no entry or Monitored false.
type Namespace struct {
	Name      string
	Monitored bool
	// Permissive says for the Services of this namespace what Settings.Permissive says for all; nil says nothing else.
	Permissive *bool
}

// Ref implements Entry. The name of a namespace is the Namespace part of its Ref.
func (n *Namespace) Ref() Ref { return Ref{KindNamespace, Name{Namespace: n.Name}} }

// ServiceAccount is known for its UID alone: a token of an account that was deleted and made again must not count.
type ServiceAccount struct {
	Name Name
	UID  string
}

// Ref implements Entry.
func (s *ServiceAccount) Ref() Ref { return Ref{KindServiceAccount, s.Name} }

// Pod is what the mesh must know of a pod.
type Pod struct {
	Name           Name
	UID            string
	ServiceAccount string
	IPs            []netip.Addr
	Labels         map[string]string
	// Ports maps the names of container ports to their numbers.
	Ports map[string]uint16
	// Injected is true when the pod carries the mesh's sidecar.
	Injected bool
	// Earlier is true when the pod carries a sidecar of Open Service Mesh instead: it proves its identity to clients by a certificate
	// of the same authority until that ends, and never connects to this control plane.
	Earlier bool
	// Revision is the MeshRevision whose injector made the sidecar; empty without one.
	Revision string
	// Metrics is true when the pod asks to be scraped, so its sidecar serves metrics on its own port.
	Metrics bool
	// Finished is true when the pod has succeeded or failed: it is no longer behind any Service.
	Finished bool
}

// Ref implements Entry.
func (p *Pod) Ref() Ref { return Ref{KindPod, p.Name} }

// Identity is the workload identity of the pod.
func (p *Pod) Identity() identity.ServiceAccount {
	return identity.ServiceAccount{Namespace: p.Name.Namespace, Name: p.ServiceAccount}
}

// Protocol is how the mesh treats a Service port (OSM's four).
type Protocol string

// The protocols of Service ports.
const (
	ProtocolHTTP           Protocol = "http"
	ProtocolGRPC           Protocol = "grpc"
	ProtocolTCP            Protocol = "tcp"
	ProtocolTCPServerFirst Protocol = "tcp-server-first"
)

// IsHTTP says whether requests, not only connections, are routed and authorised.
func (p Protocol) IsHTTP() bool { return p == ProtocolHTTP || p == ProtocolGRPC }

// Service is a Kubernetes Service.
type Service struct {
	Name Name
	// ClusterIPs are the virtual addresses; a headless Service has none.
	ClusterIPs []netip.Addr
	// Selector chooses the pods behind the Service; empty when its endpoints are kept by hand.
	Selector map[string]string
	// Ports are sorted by number.
	Ports []Port
}

// Ref implements Entry.
func (s *Service) Ref() Ref { return Ref{KindService, s.Name} }

// Headless says whether clients reach the pods' own addresses instead of a virtual one.
func (s *Service) Headless() bool { return len(s.ClusterIPs) == 0 }

// Port is one port of a Service.
type Port struct {
	Name   string
	Number uint16
	// TargetPort is the container's port; 0 when TargetName names it instead.
	TargetPort uint16
	TargetName string
	Protocol   Protocol
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

// Endpoint is one address behind a Service. Its pod is the only source of its identity.
type Endpoint struct {
	Address netip.Addr
	Pod     Name
	// Ready is true when the endpoint takes new traffic; Terminating ones are a last resort when nothing else is left.
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

// HTTPMatch matches requests. Every part that is present must match.
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

// TrafficSplit divides the traffic of a root Service among backends of the same namespace (split.smi-spec.io).
type TrafficSplit struct {
	Name     Name
	Created  time.Time
	Root     Name
	Backends []SplitBackend
	// Matches are the HTTPRouteGroups, in the split's namespace and sorted, that select the requests it divides; the others
	// go on as if there were no such split. Empty divides everything. A group that does not exist selects nothing.
	Matches []string
}

// Ref implements Entry.
func (s *TrafficSplit) Ref() Ref { return Ref{KindTrafficSplit, s.Name} }

// SplitBackend is one leaf of a TrafficSplit.
type SplitBackend struct {
	Service Name
	Weight  uint32
}

// Settings are the mesh-wide settings that reach sidecars over xDS, from MeshConfig.
type Settings struct {
	// Permissive lets every identity of the mesh call every service of it; TrafficTargets are then ignored.
	Permissive bool
	// Egress lets connections to unknown destinations pass through unchanged.
	Egress bool
	TLS    TLS
	// RetryPolicies makes Retry objects act.
	RetryPolicies bool
	// ActiveHealthChecks makes the sidecars of clients check every endpoint they may call.
	ActiveHealthChecks bool
	// EmptyRulesSelectNothing reads a rule of a TrafficTarget that names no matches as OSM does: it grants nothing. SMI, and
	// the default here, is that it grants all matches of the group.
	EmptyRulesSelectNothing bool
	// Leaving is how far the mesh is on its way out.
	Leaving Leaving
}

// Leaving is how sidecars treat pods without one, while a mesh is taken apart. The zero value is a mesh that stays.
type Leaving int

const (
	// LeavingOpen lets in whoever asks, besides those that the policies let in.
	LeavingOpen Leaving = iota + 1
	// LeavingTransparent sends everything unchanged to where it was going, besides.
	LeavingTransparent
)

// Ref implements Entry.
func (s *Settings) Ref() Ref { return Ref{Kind: KindSettings} }

// TLS holds the parameters of connections between sidecars. Names are Envoy's; empty means Envoy's default.
type TLS struct {
	MinVersion   string
	MaxVersion   string
	CipherSuites []string
	ECDHCurves   []string
}
