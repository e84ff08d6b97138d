package entity

import "cmp"

// DepKind is the kind of data that a dependency stands for.
type DepKind uint8

// Kinds of dependencies. The name of a Dep is that of the object unless the comment names another one.
const (
	// DepSettings: the mesh-wide settings. No name.
	DepSettings DepKind = iota
	// DepPod: a pod's own data, and the Services without a selector that have its address.
	DepPod
	// DepService: a Service's addresses and ports, and whether it is in the mesh.
	DepService
	// DepServices: the set of Services of the mesh. No name.
	DepServices
	// DepNamespaceServices: the pods that the Services of a namespace select. Those behind Services without a selector are data of DepPod.
	// Name.Namespace is the namespace.
	DepNamespaceServices
	// DepServiceIdentities: the identities of the pods behind a Service.
	DepServiceIdentities
	// DepPodCount: the number of pods that a Service selects, rounded by PodsUpTo.
	DepPodCount
	// DepServicesOf: the Services of an identity. Name is the service account's.
	DepServicesOf
	// DepSharing: the other Services that select pods of a Service.
	DepSharing
	// DepEndpoints: the addresses behind a Service.
	DepEndpoints
	// DepTargetsTo: the TrafficTargets that grant access to a service account.
	DepTargetsTo
	// DepTargetsFrom: the TrafficTargets that grant access for a service account.
	DepTargetsFrom
	// DepHTTPRouteGroup: an HTTPRouteGroup, existing or not.
	DepHTTPRouteGroup
	// DepTCPRoute: a TCPRoute, existing or not.
	DepTCPRoute
	// DepSplit: the TrafficSplits of a root Service, and the routes of the Gateway API with the Service as their parent.
	DepSplit
	// DepSplitsWith: the TrafficSplits and such routes that have a Service among their backends.
	DepSplitsWith
	// DepConsumerRoutes: the routes of a namespace for Services of other namespaces. Name.Namespace is the namespace.
	DepConsumerRoutes
	// DepGrantsIn: the ReferenceGrants of a namespace. Name.Namespace is the namespace.
	DepGrantsIn
	// DepPermissive: whether a namespace overrides permissive mode. Name.Namespace is the namespace.
	DepPermissive
	// DepEscapedSlashes: what becomes of escaped slashes in requests to Services and of Egresses of a namespace. Name.Namespace is the namespace.
	DepEscapedSlashes
	// DepPermissiveOverrides: the namespaces that override permissive mode. No name.
	DepPermissiveOverrides
	// DepClientPolicies: the policies that configure the requests of a client. Name is the service account's.
	DepClientPolicies
	// DepUpstreamSetting: the UpstreamTrafficSettings and Backpressures of a Service.
	DepUpstreamSetting
	// DepIngressBackend: the IngressBackends of a Service.
	DepIngressBackend
	// DepEgressesFrom: the Egresses of a client. Name is the service account's.
	DepEgressesFrom
	// DepNamedUpstreamSetting: an UpstreamTrafficSetting, existing or not.
	DepNamedUpstreamSetting
	// DepTelemetriesIn: the Telemetries of a namespace. Name.Namespace is the namespace.
	DepTelemetriesIn
	// DepTelemetry: a Telemetry, existing or not.
	DepTelemetry
	// DepAuthorizationsIn: the ExternalAuthorizations of a namespace. Name.Namespace is the namespace.
	DepAuthorizationsIn
	// DepAuthorization: an ExternalAuthorization, existing or not.
	DepAuthorization
	// DepExtensionService: an ExtensionService, existing or not.
	DepExtensionService
	// DepAccount: the UID of a service account, existing or not.
	DepAccount
	// DepGateways: all Gateways and what they refer to. No name.
	DepGateways
	// DepEgressGateway: the Egresses with the egress gateway, and their Secrets. No name.
	DepEgressGateway
	// DepRequiresEgressGateway: whether a namespace requires the egress gateway. Name.Namespace is the namespace.
	DepRequiresEgressGateway
	// DepBackendTLS: the BackendTLSPolicies of an Egress. Name is the Egress's.
	DepBackendTLS
	// DepServerTLS: the BackendTLSPolicies of an ExtensionService. Name is the ExtensionService's.
	DepServerTLS
	// DepServiceTLS: the BackendTLSPolicies of a Service. Name is the Service's.
	DepServiceTLS
	// DepBackendAuthorities: a ConfigMap with authorities of servers, existing or not.
	DepBackendAuthorities
	// DepNamespaceLabels: the labels of all namespaces. No name.
	DepNamespaceLabels
	// DepServiceRanges: the ranges of the virtual addresses of Services. No name.
	DepServiceRanges
	// DepServicesOutside: the virtual addresses and ports of Services that are not in the mesh. No name.
	DepServicesOutside
	// DepMember: whether a namespace is part of the mesh. Name.Namespace is the namespace.
	DepMember
	// DepRouteGroupsIn: the HTTPRouteGroups of a namespace. Name.Namespace is the namespace.
	DepRouteGroupsIn
	// DepSettingUsers: the Egresses that name an UpstreamTrafficSetting. Name is the UpstreamTrafficSetting's.
	DepSettingUsers
	// DepPeerTargetsIn: the TrafficTargets of a namespace with accounts of peers among their sources. Name.Namespace is the namespace.
	DepPeerTargetsIn
	// DepSplitsIn: the TrafficSplits of a namespace. Name.Namespace is the namespace.
	DepSplitsIn
	// DepPeers: all MeshPeers. No name.
	DepPeers
	// DepExports: all ServiceExports. No name.
	DepExports
	// DepExport: the ServiceExport of a Service.
	DepExport
	// DepImport: the ServiceImport of a Service, and what its peer says about it.
	DepImport
	// DepJoined: the ServiceImports that join Services of peers with Services with pods. No name.
	DepJoined
	// DepImportsFor: the Services of peers that a client may call. Name is the service account's.
	DepImportsFor
)

// IsSelection reports whether the data selects one of several policies, or is only shown to people. What is built from the selected one depends on it by name.
func (k DepKind) IsSelection() bool {
	return k == DepTelemetriesIn || k == DepAuthorizationsIn || k == DepRouteGroupsIn || k == DepSettingUsers || k == DepSplitsIn
}

// Dep is data that something was built from and that a change may affect.
type Dep struct {
	Kind DepKind
	Name Name
}

// Compare orders dependencies by kind, then name.
func (d Dep) Compare(other Dep) int {
	return cmp.Or(cmp.Compare(d.Kind, other.Kind), d.Name.Compare(other.Name))
}

// Of returns the dependency on data of an object.
func (k DepKind) Of(name Name) Dep { return Dep{Kind: k, Name: name} }

// In returns the dependency on data of a namespace.
func (k DepKind) In(namespace string) Dep { return Dep{Kind: k, Name: Name{Namespace: namespace}} }

// DepSet is a set of dependencies.
type DepSet map[Dep]struct{}

// Add adds a dependency.
func (s DepSet) Add(dep Dep) { s[dep] = struct{}{} }
