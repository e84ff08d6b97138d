package catalog

import (
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
)

// Entry is one object of the mesh as plain data.
type Entry interface {
	// Ref identifies the entry. Two entries with equal Refs are versions of the same object.
	Ref() entity.Ref
	// Deps appends the dependencies that the entry has: a scope with one of them may change with the entry. Queries find entries by
	// them, so this is the only place that names them.
	Deps(list []entity.Dep) []entity.Dep
}

// Change replaces the entry with this Ref, or removes it when Entry is nil.
type Change struct {
	Ref   entity.Ref
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
func (n *Namespace) Ref() entity.Ref { return entity.KindNamespace.Ref(entity.Name{Namespace: n.Name}) }

// Deps implements Entry.
func (n *Namespace) Deps(list []entity.Dep) []entity.Dep {
	own := entity.Name{Namespace: n.Name}
	list = append(list,
		entity.Dep{Kind: entity.DepServices}, entity.Dep{Kind: entity.DepEgressGateway},
		entity.DepNamespaceServices.Of(own), entity.DepPermissive.Of(own), entity.DepRequiresEgressGateway.Of(own),
		entity.DepEscapedSlashes.Of(own), entity.DepMember.Of(own),
	)
	if n.Permissive != nil {
		list = append(list, entity.Dep{Kind: entity.DepPermissiveOverrides})
	}
	return list
}

// ServiceAccount exists for its UID: tokens of a deleted and recreated account are invalid.
type ServiceAccount struct {
	Name entity.Name
	UID  string
}

// Ref implements Entry.
func (s *ServiceAccount) Ref() entity.Ref { return entity.KindServiceAccount.Ref(s.Name) }

// Deps implements Entry.
func (s *ServiceAccount) Deps(list []entity.Dep) []entity.Dep {
	return append(list, entity.DepAccount.Of(s.Name))
}

// TrafficTarget grants sources access to a destination (access.smi-spec.io).
type TrafficTarget struct {
	Name        entity.Name
	Destination identity.ServiceAccount
	Sources     []identity.ServiceAccount
	// PeerSources are accounts of other meshes, sorted.
	PeerSources []identity.PeerAccount
	Rules       []TargetRule
}

// Ref implements Entry.
func (t *TrafficTarget) Ref() entity.Ref { return entity.KindTrafficTarget.Ref(t.Name) }

// Deps implements Entry.
func (t *TrafficTarget) Deps(list []entity.Dep) []entity.Dep {
	list = append(list, entity.DepTargetsTo.Of(entity.Name(t.Destination)))
	if len(t.PeerSources) > 0 {
		list = append(list, entity.DepPeerTargetsIn.In(t.Destination.Namespace))
	}
	return append(list, lists.Map(t.Sources, func(source identity.ServiceAccount) entity.Dep { return entity.DepTargetsFrom.Of(entity.Name(source)) })...)
}

// TargetRule refers to a route object in the TrafficTarget's namespace.
type TargetRule struct {
	// Kind is KindHTTPRouteGroup or KindTCPRoute.
	Kind entity.Kind
	Name string
	// Matches selects matches of an HTTPRouteGroup by name; empty means all of them (SMI).
	Matches []string
}

// HTTPRouteGroup holds named HTTP matches (specs.smi-spec.io).
type HTTPRouteGroup struct {
	Name    entity.Name
	Matches []HTTPMatch
}

// Ref implements Entry.
func (g *HTTPRouteGroup) Ref() entity.Ref { return entity.KindHTTPRouteGroup.Ref(g.Name) }

// Deps implements Entry.
func (g *HTTPRouteGroup) Deps(list []entity.Dep) []entity.Dep {
	return append(list, entity.DepHTTPRouteGroup.Of(g.Name), entity.DepRouteGroupsIn.In(g.Name.Namespace))
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
	Name  entity.Name
	Ports []uint16
}

// Ref implements Entry.
func (r *TCPRoute) Ref() entity.Ref { return entity.KindTCPRoute.Ref(r.Name) }

// Deps implements Entry.
func (r *TCPRoute) Deps(list []entity.Dep) []entity.Dep {
	return append(list, entity.DepTCPRoute.Of(r.Name))
}

// TrafficSplit distributes the traffic of a root Service to backends in its namespace by weight (split.smi-spec.io).
type TrafficSplit struct {
	Name     entity.Name
	Created  time.Time
	Root     entity.Name
	Backends []SplitBackend
	// Matches are the HTTPRouteGroups, in the split's namespace and sorted, that select the requests of this split.
	// Empty selects all requests. A group that does not exist selects none.
	Matches []string
}

// Ref implements Entry.
func (s *TrafficSplit) Ref() entity.Ref { return entity.KindTrafficSplit.Ref(s.Name) }

// Age implements Aged.
func (s *TrafficSplit) Age() time.Time { return s.Created }

// Deps implements Entry.
func (s *TrafficSplit) Deps(list []entity.Dep) []entity.Dep {
	list = append(list, entity.DepSplit.Of(s.Root), entity.DepSplitsIn.In(s.Name.Namespace))
	return append(list, lists.Map(s.Backends, func(backend SplitBackend) entity.Dep { return entity.DepSplitsWith.Of(backend.Service) })...)
}

// SplitBackend is one weighted backend of a TrafficSplit.
type SplitBackend struct {
	Service entity.Name
	Weight  uint32
}

// AllRequests is the number of which Settings.UnloggedRequests are a part.
const AllRequests = 1_000_000

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
	// UnloggedRequests is how many of AllRequests have no line in the access log, unless they fail or are slow. In OSM each request has a line.
	UnloggedRequests uint32
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
func (s *Settings) Ref() entity.Ref { return entity.Ref{Kind: entity.KindSettings} }

// Deps implements Entry.
func (s *Settings) Deps(list []entity.Dep) []entity.Dep {
	return append(list, entity.Dep{Kind: entity.DepSettings})
}

// TLS has the parameters of connections between sidecars, by Envoy's names. Empty values mean Envoy's defaults.
type TLS struct {
	MinVersion   string
	MaxVersion   string
	CipherSuites []string
	ECDHCurves   []string
}
