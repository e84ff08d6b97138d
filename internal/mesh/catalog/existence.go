package catalog

import "slices"

// Unread is an object that exists, but has no entry because of its problems. It only matters for what people are told about the objects that refer to it.
type Unread struct {
	Object Ref
	// Problem is why, a sentence; empty if it is not known.
	Problem string
}

// Ref implements Entry.
func (u *Unread) Ref() Ref { return u.Object }

// Deps implements Entry.
func (u *Unread) Deps(list []Dep) []Dep {
	if dep, known := u.Object.existence(); known {
		list = append(list, dep)
	}
	return list
}

// existence returns the dependency on the existence of an object. It is false for kinds to which no policy refers by name.
func (r Ref) existence() (Dep, bool) {
	kinds := map[Kind]DepKind{
		KindService: DepService, KindServiceAccount: DepAccount, KindHTTPRouteGroup: DepHTTPRouteGroup, KindTCPRoute: DepTCPRoute,
		KindUpstreamTrafficSetting: DepNamedUpstreamSetting, KindExtensionService: DepExtensionService,
	}
	kind, known := kinds[r.Kind]
	return Dep{kind, r.Name}, known
}

// Exists reports whether an object exists in any namespace, even if nothing of it can be used.
func (v *View) Exists(ref Ref) bool {
	if dep, known := ref.existence(); known {
		v.deps[dep] = struct{}{}
	}
	if v.instead != nil && v.instead.Ref() == ref {
		return true
	}
	_, exists := v.catalog.entries[ref]
	return exists && !v.isHidden(ref)
}

// WhyUnread returns why nothing of an object that exists can be used; empty if something can, or if that is not known.
func (v *View) WhyUnread(ref Ref) string {
	if unread, ok := v.catalog.entries[ref].(*Unread); ok && v.Exists(ref) {
		return unread.Problem
	}
	return ""
}

// AnyService returns a Service of any namespace, in the mesh or not, or nil.
func (v *View) AnyService(name Name) *Service {
	v.deps.add(DepService, name)
	service, _ := get[*Service](v.catalog, KindService, name)
	return service
}

// HasReadyEndpoint reports whether an endpoint of a Service of any namespace accepts connections.
func (v *View) HasReadyEndpoint(service Name) bool {
	for _, slice := range Find[*EndpointSlice](v, KindEndpointSlice, Dep{DepEndpoints, service}) {
		for _, endpoint := range slice.Endpoints {
			if endpoint.Ready {
				return true
			}
		}
	}
	return false
}

// IsMember reports whether a namespace is part of the mesh. In contrast to InMesh, it records a dependency.
func (v *View) IsMember(namespace string) bool {
	v.deps.add(DepMember, Name{Namespace: namespace})
	return v.InMesh(namespace)
}

// RouteGroupsIn returns the HTTPRouteGroups of a namespace, sorted by name.
func (v *View) RouteGroupsIn(namespace string) []*HTTPRouteGroup {
	return Find[*HTTPRouteGroup](v, KindHTTPRouteGroup, Dep{DepRouteGroupsIn, Name{Namespace: namespace}})
}

// EgressesNaming returns the Egresses that name an UpstreamTrafficSetting, sorted by name.
func (v *View) EgressesNaming(setting Name) []*Egress {
	return Find[*Egress](v, KindEgress, Dep{DepSettingUsers, setting})
}

// Selected is how many pods and Services a namespace has.
type Selected struct {
	// Pods are the pods, Ports the ports of all Services, and MostPorts the ports of the Service with the most.
	Pods, Ports, MostPorts int
}

// Selected returns how many pods and Services a namespace has. It records a dependency on the Services only.
func (v *View) Selected(namespace string) Selected {
	count := Selected{Pods: len(v.catalog.pods[namespace])}
	v.deps.add(DepNamespaceServices, Name{Namespace: namespace})
	for name := range v.catalog.servicesIn(namespace) {
		if service, ok := get[*Service](v.catalog, KindService, name); ok {
			count.Ports += len(service.Ports)
			count.MostPorts = max(count.MostPorts, len(service.Ports))
		}
	}
	return count
}

// NumericTargetPorts returns the container ports that the Services of a namespace lead to, sorted. complete is false if some are not known:
// those with names, and those of handwritten EndpointSlices. It records a dependency on the Services only.
func (v *View) NumericTargetPorts(namespace string) (known []uint16, complete bool) {
	v.deps.add(DepNamespaceServices, Name{Namespace: namespace})
	for name := range v.catalog.servicesIn(namespace) {
		service, ok := get[*Service](v.catalog, KindService, name)
		if !ok || !service.HasSelector() {
			return nil, false
		}
		for _, port := range service.Ports {
			if port.TargetName != "" {
				return nil, false
			}
			known = append(known, port.TargetPort)
		}
	}
	slices.Sort(known)
	return slices.Compact(known), true
}

// SplitsOf returns the TrafficSplits of a root Service, sorted by name.
func (v *View) SplitsOf(root Name) []*TrafficSplit {
	return Find[*TrafficSplit](v, KindTrafficSplit, Dep{DepSplit, root})
}

// SplitBackends returns how many backends the TrafficSplits of a namespace have.
func (v *View) SplitBackends(namespace string) int {
	count := 0
	for _, split := range Find[*TrafficSplit](v, KindTrafficSplit, Dep{DepSplitsIn, Name{Namespace: namespace}}) {
		count += len(split.Backends)
	}
	return count
}
