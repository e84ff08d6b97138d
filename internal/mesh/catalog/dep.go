package catalog

import "cmp"

// DepKind is the kind of data that a dependency stands for.
type DepKind uint8

// Kinds of dependencies. The name of a Dep is that of the object unless the comment names another one.
const (
	// DepSettings: the mesh-wide settings. No name.
	DepSettings DepKind = iota
	// DepPod: a pod's own data.
	DepPod
	// DepService: a Service's addresses and ports, and whether it is in the mesh.
	DepService
	// DepServices: the set of Services of the mesh. No name.
	DepServices
	// DepNamespaceServices: the pods that the Services of a namespace select. Name.Namespace is the namespace.
	DepNamespaceServices
	// DepServiceIdentities: the identities of the pods behind a Service.
	DepServiceIdentities
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
	// DepSplit: the TrafficSplits of a root Service.
	DepSplit
	// DepSplitsWith: the TrafficSplits that have a Service among their backends.
	DepSplitsWith
	// DepPermissive: whether a namespace overrides permissive mode. Name.Namespace is the namespace.
	DepPermissive
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
	// DepNamespaceLabels: the labels of all namespaces. No name.
	DepNamespaceLabels
)

// isSelection reports whether the data selects one of several policies. What is built from the selected one depends on it by name.
func (k DepKind) isSelection() bool { return k == DepTelemetriesIn || k == DepAuthorizationsIn }

// isIndexed reports whether entries are found by such dependencies. These kinds have one entry, which is found by its name, and there are many
// of them.
func (k DepKind) isIndexed() bool { return k != DepPod && k != DepService && k != DepAccount }

// Dep is data that something was built from and that a change may affect.
type Dep struct {
	Kind DepKind
	Name Name
}

// Compare orders dependencies by kind, then name.
func (d Dep) Compare(other Dep) int {
	return cmp.Or(cmp.Compare(d.Kind, other.Kind), d.Name.Compare(other.Name))
}
