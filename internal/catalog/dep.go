package catalog

import "cmp"

// DepKind says which question about the mesh a dependency stands for.
type DepKind uint8

// The questions that views answer. Name is the object's, unless said otherwise.
const (
	// DepSettings: the mesh-wide settings. No name.
	DepSettings DepKind = iota
	// DepPod: a pod's own data.
	DepPod
	// DepService: a Service's addresses and ports, and whether it is in the mesh.
	DepService
	// DepServices: which Services the mesh has. No name.
	DepServices
	// DepNamespaceServices: which pods the Services of a namespace select. Name.Namespace is the namespace.
	DepNamespaceServices
	// DepBackers: the identities behind a Service.
	DepBackers
	// DepServicesOf: the Services an identity is behind. Name is the service account's.
	DepServicesOf
	// DepEndpoints: the addresses behind a Service.
	DepEndpoints
	// DepTargetsTo: the TrafficTargets that grant access to a service account.
	DepTargetsTo
	// DepTargetsFrom: the TrafficTargets that grant access for a service account.
	DepTargetsFrom
	// DepHTTPRouteGroup: an HTTPRouteGroup, present or not.
	DepHTTPRouteGroup
	// DepTCPRoute: a TCPRoute, present or not.
	DepTCPRoute
	// DepSplit: the TrafficSplits of a root Service.
	DepSplit
	// DepSplitsWith: the TrafficSplits that have a Service among their backends.
	DepSplitsWith
	// DepPermissive: whether a namespace has a word of its own on permissive mode. Name.Namespace is the namespace.
	DepPermissive
	// DepOutspoken: which namespaces have a word of their own on permissive mode. No name.
	DepOutspoken
	// DepRetriesFrom: the Retries of a client. Name is the service account's.
	DepRetriesFrom
	// DepUpstreamSetting: the UpstreamTrafficSettings and Backpressures of a Service.
	DepUpstreamSetting
)

// Dep is one question about the mesh whose answer something was built from, and which a change may touch.
type Dep struct {
	Kind DepKind
	Name Name
}

// Compare orders dependencies by kind, then name.
func (d Dep) Compare(other Dep) int {
	return cmp.Or(cmp.Compare(d.Kind, other.Kind), d.Name.Compare(other.Name))
}
