package catalog

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"

	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
)

// View reads the catalog and records its dependencies. It is valid until the next Apply.
type View struct {
	catalog *Catalog
	deps    depSet
	// excluded are policies that the view does not contain.
	excluded map[Ref]struct{}
	// instead is a policy that replaces its stored version, or nil.
	instead Entry
	// targetsFrom caches results of TargetsFrom, which is called once per Service that a client may call.
	targetsFrom map[identity.ServiceAccount][]*TrafficTarget
	// memo has the results of Memo.
	memo map[any]any
}

// View returns a view without recorded dependencies.
func (c *Catalog) View() *View { return &View{catalog: c, deps: depSet{}} }

// Part returns a view of the same entries without recorded dependencies, for what is built and kept apart.
func (v *View) Part() *View { return v.catalog.ViewWithout(v.excluded) }

// Deps returns all recorded dependencies, in no particular order.
func (v *View) Deps() []Dep { return slices.Collect(maps.Keys(v.deps)) }

// DependOn records dependencies that another view, made by Part, has recorded.
func (v *View) DependOn(deps []Dep) {
	for _, dep := range deps {
		v.deps[dep] = struct{}{}
	}
}

// Memo returns what compute returned for the first call with the key. Types of keys are not shared between packages. The dependencies that
// compute records are those of the view for good, so later calls need none.
func Memo[T any](v *View, key any, compute func() T) T {
	if value, known := v.memo[key].(T); known {
		return value
	}
	value := compute()
	if v.memo == nil {
		v.memo = map[any]any{}
	}
	v.memo[key] = value
	return value
}

// Settings returns the mesh's settings. Without a MeshConfig they are zero: nothing is permitted.
func (v *View) Settings() Settings {
	v.deps.add(DepSettings, Name{})
	if s, ok := get[*Settings](v.catalog, KindSettings, Name{}); ok {
		return *s
	}
	return Settings{}
}

// Pod returns a pod, or nil.
func (v *View) Pod(name Name) *Pod {
	v.deps.add(DepPod, name)
	pod, _ := get[*Pod](v.catalog, KindPod, name)
	return pod
}

// InMesh reports whether a namespace is part of the mesh. It records no dependency: callers also read a pod or Service
// of the namespace, which a change of the namespace affects.
func (v *View) InMesh(namespace string) bool {
	ns, ok := get[*Namespace](v.catalog, KindNamespace, Name{Namespace: namespace})
	return ok && ns.Monitored
}

// ServiceAccountUID returns the UID of an existing service account, or an empty string.
func (v *View) ServiceAccountUID(sa identity.ServiceAccount) string {
	v.deps.account(DepAccount, sa)
	if account, ok := get[*ServiceAccount](v.catalog, KindServiceAccount, Name(sa)); ok {
		return account.UID
	}
	return ""
}

// IsAddressOfAnother reports whether an address belongs to other running pods only. It is false as long as the pod's own addresses are
// not known. It records no dependency: only the authentication of new streams uses it.
func (v *View) IsAddressOfAnother(pod *Pod, address netip.Addr) bool {
	return len(pod.IPs) > 0 && !slices.Contains(pod.IPs, address) && len(v.catalog.podsAt[address]) > 0
}

// Service returns a Service, or nil when it does not exist or its namespace is not in the mesh.
func (v *View) Service(name Name) *Service {
	v.deps.add(DepService, name)
	service, ok := get[*Service](v.catalog, KindService, name)
	if !ok || !v.InMesh(name.Namespace) {
		return nil
	}
	return service
}

// Services returns the names of all Services of the mesh, sorted.
func (v *View) Services() []Name {
	v.deps.add(DepServices, Name{})
	var names []Name
	for namespace := range v.catalog.names(KindNamespace, Dep{Kind: DepServices}) {
		if v.InMesh(namespace.Namespace) {
			names = slices.AppendSeq(names, maps.Keys(v.catalog.servicesIn(namespace.Namespace)))
		}
	}
	slices.SortFunc(names, Name.Compare)
	return names
}

// ServicesIn returns the names of the Services of a namespace of the mesh, sorted.
func (v *View) ServicesIn(namespace string) []Name {
	v.deps.add(DepNamespaceServices, Name{Namespace: namespace})
	if !v.InMesh(namespace) {
		return nil
	}
	return slices.SortedFunc(maps.Keys(v.catalog.servicesIn(namespace)), Name.Compare)
}

// ServicesOfPod returns the Services of the mesh that the pod is behind, sorted.
func (v *View) ServicesOfPod(pod *Pod) []Name {
	v.deps.add(DepPod, pod.Name)
	v.deps.add(DepNamespaceServices, Name{Namespace: pod.Name.Namespace})
	if !v.InMesh(pod.Name.Namespace) {
		return nil
	}
	names := v.catalog.servicesSelecting(pod)
	slices.SortFunc(names, Name.Compare)
	return names
}

// ServiceIdentities returns the identities of the pods behind a Service, sorted.
func (v *View) ServiceIdentities(service Name) []identity.ServiceAccount {
	v.deps.add(DepServiceIdentities, service)
	return slices.SortedFunc(maps.Keys(v.catalog.identities[service]), identity.ServiceAccount.Compare)
}

// Sharing returns the Services of the mesh that select pods of a Service, sorted, without the Service itself.
func (v *View) Sharing(service Name) []Name {
	v.deps.add(DepSharing, service)
	return v.catalog.sharing.with(service)
}

// ServicesOf returns the Services of the mesh whose pods have the identity, sorted.
func (v *View) ServicesOf(sa identity.ServiceAccount) []Name {
	v.deps.add(DepServicesOf, Name(sa))
	if !v.InMesh(sa.Namespace) {
		return nil
	}
	return slices.SortedFunc(maps.Keys(v.catalog.servicesOf[sa]), Name.Compare)
}

// TargetsTo returns the TrafficTargets whose destination is the service account, sorted by name.
func (v *View) TargetsTo(sa identity.ServiceAccount) []*TrafficTarget {
	return Find[*TrafficTarget](v, KindTrafficTarget, Dep{DepTargetsTo, Name(sa)})
}

// TargetsFrom returns the TrafficTargets with the service account among their sources, sorted by name. The caller must
// not change the list.
func (v *View) TargetsFrom(sa identity.ServiceAccount) []*TrafficTarget {
	list, ok := v.targetsFrom[sa]
	if !ok {
		list = Find[*TrafficTarget](v, KindTrafficTarget, Dep{DepTargetsFrom, Name(sa)})
		if v.targetsFrom == nil {
			v.targetsFrom = map[identity.ServiceAccount][]*TrafficTarget{}
		}
		v.targetsFrom[sa] = list
	}
	return list
}

// HTTPRouteGroup returns an HTTPRouteGroup, or nil.
func (v *View) HTTPRouteGroup(name Name) *HTTPRouteGroup {
	return Named[*HTTPRouteGroup](v, KindHTTPRouteGroup, DepHTTPRouteGroup, name)
}

// TCPRoute returns a TCPRoute, or nil.
func (v *View) TCPRoute(name Name) *TCPRoute {
	return Named[*TCPRoute](v, KindTCPRoute, DepTCPRoute, name)
}

// GroupMatches returns the matches of those HTTPRouteGroups of a namespace that exist, in order of the names.
func (v *View) GroupMatches(namespace string, groups []string) []HTTPMatch {
	var matches []HTTPMatch
	for _, name := range groups {
		if group := v.HTTPRouteGroup(Name{Namespace: namespace, Name: name}); group != nil {
			matches = append(matches, group.Matches...)
		}
	}
	return matches
}

// Permissive reports whether every identity of the mesh may call the Services and pods of a namespace: by the
// namespace's override, or else by the mesh-wide setting.
func (v *View) Permissive(namespace string) bool {
	v.deps.add(DepPermissive, Name{Namespace: namespace})
	ns, ok := get[*Namespace](v.catalog, KindNamespace, Name{Namespace: namespace})
	if ok && ns.Permissive != nil {
		return *ns.Permissive
	}
	return v.Settings().Permissive
}

// DecodesSlashes reports whether escaped slashes in the paths of requests to a Service count as slashes. Otherwise such requests are rejected. An empty name
// of the Service is that of the namespace's Egresses.
func (v *View) DecodesSlashes(name Name) bool {
	if name.Name != "" {
		if service := v.Service(name); service != nil && service.DecodeSlashes != nil {
			return *service.DecodeSlashes
		}
	}
	v.deps.add(DepEscapedSlashes, Name{Namespace: name.Namespace})
	ns, ok := get[*Namespace](v.catalog, KindNamespace, Name{Namespace: name.Namespace})
	return ok && ns.DecodeSlashes
}

// PermissiveOverrides returns the namespaces that override permissive mode, sorted. Permissive returns their setting.
func (v *View) PermissiveOverrides() []string {
	var list []string
	for _, ns := range Find[*Namespace](v, KindNamespace, Dep{Kind: DepPermissiveOverrides}) {
		list = append(list, ns.Name)
	}
	return list
}

// Split returns the TrafficSplit in force for requests to a root Service that no split with matches selects. It is the oldest without
// matches, the first by name among those of equal age; nil if there is none.
func (v *View) Split(root Name) *TrafficSplit {
	everything := func(s *TrafficSplit) bool { return len(s.Matches) == 0 }
	return Oldest(v, KindTrafficSplit, Dep{DepSplit, root}, everything)
}

// MatchingSplits returns the TrafficSplits that select some requests to a root Service: the oldest first, then by
// name. The first split whose HTTPRouteGroups match a request applies to it.
func (v *View) MatchingSplits(root Name) []*TrafficSplit {
	splits := Find[*TrafficSplit](v, KindTrafficSplit, Dep{DepSplit, root})
	splits = slices.DeleteFunc(splits, func(s *TrafficSplit) bool { return len(s.Matches) == 0 })
	slices.SortStableFunc(splits, func(a, b *TrafficSplit) int { return a.Created.Compare(b.Created) })
	return splits
}

// RootsOf returns the root Services of the TrafficSplits, and the parents of the routes, that have the Service among their backends, sorted.
func (v *View) RootsOf(backend Name) []Name {
	var roots []Name
	dep := Dep{DepSplitsWith, backend}
	for _, split := range Find[*TrafficSplit](v, KindTrafficSplit, dep) {
		roots = append(roots, split.Root)
	}
	for _, kind := range RouteKinds() {
		for _, route := range Find[*HTTPRoute](v, kind, dep) {
			for _, parent := range route.Parents {
				// Most routes of a Service have the same parent.
				if parent.Service != (Name{}) && (len(roots) == 0 || roots[len(roots)-1] != parent.Service) {
					roots = append(roots, parent.Service)
				}
			}
		}
	}
	slices.SortFunc(roots, Name.Compare)
	return slices.Compact(roots)
}

// Backend is one address behind a port of a Service and the identity that it must prove.
type Backend struct {
	Address  netip.AddrPort
	Identity identity.ServiceAccount
	Workload Workload
	Ready    bool
	// Serving is true for an endpoint that is ready, terminates and still serves, or is not ready only because its node does not report. Only the
	// clients of a headless Service reach others, by their own choice.
	Serving bool
}

// Backends returns the addresses behind a port of a Service: ready ones, terminating ones that still serve, and ones whose node does not report. Of a
// headless Service it returns all, because its clients choose the pod, and their sessions must outlive a failed readiness probe. An address counts
// only if it belongs to an existing pod that the Service selects and that has a sidecar, possibly one of Open Service Mesh. No other endpoint can
// prove an identity that clients expect. podBehind has the rule for Services without a selector.
func (v *View) Backends(service *Service, port Port) []Backend {
	var backends []Backend
	for _, slice := range Find[*EndpointSlice](v, KindEndpointSlice, Dep{DepEndpoints, service.Name}) {
		number, ok := slice.Ports[port.Name]
		if !ok && service.HasSelector() {
			number = v.TargetPort(service, port)
		}
		for _, endpoint := range slice.Endpoints {
			if backend, ok := v.backend(service, endpoint, number); ok {
				backends = append(backends, backend)
			}
		}
	}
	// Two slices can disagree about an endpoint while it moves from one to the other.
	slices.SortFunc(backends, func(a, b Backend) int { return cmp.Or(a.Address.Compare(b.Address), readyFirst(a, b)) })
	return slices.CompactFunc(backends, func(a, b Backend) bool { return a.Address == b.Address })
}

func readyFirst(a, b Backend) int {
	rank := func(b Backend) int {
		switch {
		case b.Ready:
			return 0
		case b.Serving:
			return 1
		}
		return 2
	}
	return cmp.Compare(rank(a), rank(b))
}

func (v *View) backend(service *Service, endpoint Endpoint, port uint16) (Backend, bool) {
	pod := v.catalog.podBehind(service, endpoint)
	if pod == nil || port == 0 {
		return Backend{}, false
	}
	// Kubernetes marks pods whose node does not report. If that concerns all pods of a Service, it is likelier that the API server was away than that
	// all have ended.
	serving := endpoint.Ready || endpoint.Terminating || pod.NodeUnreachable && service.HasSelector()
	if !serving && !service.Headless() {
		return Backend{}, false
	}
	return Backend{
		Address: netip.AddrPortFrom(endpoint.Address, port), Identity: pod.Identity(), Workload: pod.Workload,
		// Applications end a few seconds after the deletion of their pod. EndpointSlices may take longer, for example after an outage of the API server.
		Ready: endpoint.Ready && !pod.Terminating, Serving: serving,
	}, true
}
