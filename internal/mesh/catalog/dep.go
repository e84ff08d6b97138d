package catalog

import (
	"cmp"
	"maps"
	"slices"

	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
)

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
	// DepServiceIdentities: the identities of the pods behind a Service, and whether any of these has a sidecar of Open Service Mesh.
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
	// DepSplitsIn: the TrafficSplits of a namespace. Name.Namespace is the namespace.
	DepSplitsIn
)

// isSelection reports whether the data selects one of several policies, or is only told to people. What is built from the selected one depends on it by name.
func (k DepKind) isSelection() bool {
	return k == DepTelemetriesIn || k == DepAuthorizationsIn || k == DepRouteGroupsIn || k == DepSettingUsers || k == DepSplitsIn
}

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

// link adds an entry to the indexes and unlink removes it. Both add the dependencies of the entry to affected, so replacing
// an entry affects the dependencies of its old and its new version.

func (c *Catalog) link(entry Entry, affected depSet)   { c.updateIndexes(entry, 1, affected) }
func (c *Catalog) unlink(entry Entry, affected depSet) { c.updateIndexes(entry, -1, affected) }

func (c *Catalog) updateIndexes(entry Entry, delta int, affected depSet) {
	ref := entry.Ref()
	c.deps = entry.Deps(c.deps[:0])
	for _, dep := range c.deps {
		affected[dep] = struct{}{}
		if dep.Kind.isIndexed() {
			updateIndex(c.byDep, entriesOf{dep, ref.Kind}, ref.Name, delta)
		}
	}
	switch e := entry.(type) {
	case *Namespace:
		c.affectNamespace(e.Name, affected)
	case *Pod:
		c.updatePod(e, delta, affected)
	case *Service:
		c.indexAddresses(e, delta)
		c.indexSelector(e, delta)
		c.updateService(e, delta, affected)
	case *EndpointSlice:
		if c.isHandwritten(e) {
			c.indexHandwritten(e, delta)
		}
	}
}

func updateIndex[K comparable](x index[K], key K, name Name, delta int) {
	if delta > 0 {
		x.add(key, name)
	} else {
		x.remove(key, name)
	}
}

// affectNamespace affects every Service and pod of a namespace, because joining or leaving the mesh changes all of them.
func (c *Catalog) affectNamespace(namespace string, affected depSet) {
	for name := range c.servicesIn(namespace) {
		affected.add(DepService, name)
		affected.add(DepEndpoints, name)
		affected.add(DepServicesOutside, Name{})
		for sa := range c.identities[name] {
			affected.account(DepServicesOf, sa)
		}
	}
	for name := range c.pods[namespace] {
		affected.add(DepPod, name)
	}
}

// servicesIn returns the names of the Services of a namespace.
func (c *Catalog) servicesIn(namespace string) map[Name]struct{} {
	return c.names(KindService, Dep{DepNamespaceServices, Name{Namespace: namespace}})
}

func (c *Catalog) updatePod(pod *Pod, delta int, affected depSet) {
	updateIndex(c.pods, pod.Name.Namespace, pod.Name, delta)
	if !pod.Finished {
		for _, address := range pod.IPs {
			updateIndex(c.podsAt, address, pod.Name, delta)
		}
	}
	for _, name := range c.servicesMatching(pod) {
		c.countIdentity(name, pod.Identity(), delta, affected)
		c.countOSMSidecar(name, pod.OSMSidecar, delta, affected)
		if service, ok := get[*Service](c, KindService, name); ok {
			c.countTargetPorts(service, pod, delta)
		}
		affected.add(DepEndpoints, name)
	}
	var all []Name
	if delta > 0 {
		all = c.servicesSelecting(pod)
	}
	c.sharing.replace(pod.Name, all, affected)
}

// servicesSelecting returns the Services that a pod is behind, in no particular order.
func (c *Catalog) servicesSelecting(pod *Pod) []Name {
	names := c.servicesMatching(pod)
	for _, slice := range c.handwrittenSlices(pod) {
		if !slices.Contains(names, slice.Service) {
			names = append(names, slice.Service)
		}
	}
	return names
}

// servicesMatching returns the Services whose selectors match a pod, in no particular order.
func (c *Catalog) servicesMatching(pod *Pod) []Name {
	var names []Name
	for key, value := range pod.Labels {
		for name := range c.servicesWith[label{pod.Name.Namespace, key, value}] {
			if service, ok := get[*Service](c, KindService, name); ok && service.selects(pod) {
				names = append(names, name)
			}
		}
	}
	return names
}

// label is a label in a namespace.
type label struct{ namespace, key, value string }

// indexSelector adds a Service to the index of labels, or removes it. It is there with the first label of its selector.
func (c *Catalog) indexSelector(service *Service, delta int) {
	if !service.HasSelector() {
		return
	}
	key := slices.Min(slices.Collect(maps.Keys(service.Selector)))
	updateIndex(c.servicesWith, label{service.Name.Namespace, key, service.Selector[key]}, service.Name, delta)
}

func (c *Catalog) updateService(service *Service, delta int, affected depSet) {
	affected.add(DepEndpoints, service.Name)
	if !service.HasSelector() {
		for _, slice := range c.slicesOf(service.Name) {
			c.indexHandwritten(slice, delta)
		}
		return
	}
	var selected []*Pod
	for name := range c.pods[service.Name.Namespace] {
		pod, ok := get[*Pod](c, KindPod, name)
		if ok && service.selects(pod) {
			c.countIdentity(service.Name, pod.Identity(), delta, affected)
			c.countOSMSidecar(service.Name, pod.OSMSidecar, delta, affected)
			c.countTargetPorts(service, pod, delta)
			selected = append(selected, pod)
		}
	}
	c.sharing.replaceAll(selected, c.servicesSelecting, affected)
}

func (c *Catalog) countIdentity(service Name, sa identity.ServiceAccount, delta int, affected depSet) {
	c.countPod(service, delta, affected)
	if c.identities.add(service, sa, delta) {
		affected.add(DepServiceIdentities, service)
	}
	if c.servicesOf.add(sa, service, delta) {
		affected.account(DepServicesOf, sa)
	}
}

// selects reports whether the selector matches the pod. A Service without a selector selects nothing.
func (s *Service) selects(pod *Pod) bool {
	if !s.HasSelector() || pod.Finished || pod.Name.Namespace != s.Name.Namespace {
		return false
	}
	for key, value := range s.Selector {
		if have, ok := pod.Labels[key]; !ok || have != value {
			return false
		}
	}
	return true
}
