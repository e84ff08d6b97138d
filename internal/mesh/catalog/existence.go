package catalog

import (
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
)

// Unread is an object that exists, but has no entry because of its problems. It only matters for what people are told about the objects that refer to it.
type Unread struct {
	Object entity.Ref
	// Problem is why, a sentence; empty if it is not known.
	Problem string
}

// Ref implements Entry.
func (u *Unread) Ref() entity.Ref { return u.Object }

// Deps implements Entry.
func (u *Unread) Deps(list []entity.Dep) []entity.Dep {
	if dep, known := existenceOf(u.Object); known {
		list = append(list, dep)
	}
	return list
}

// existenceOf returns the dependency on the existence of an object. It is false for kinds to which no policy refers by name.
func existenceOf(r entity.Ref) (entity.Dep, bool) {
	kinds := map[entity.Kind]entity.DepKind{
		entity.KindService: entity.DepService, entity.KindServiceAccount: entity.DepAccount,
		entity.KindHTTPRouteGroup: entity.DepHTTPRouteGroup, entity.KindTCPRoute: entity.DepTCPRoute,
		entity.KindUpstreamTrafficSetting: entity.DepNamedUpstreamSetting, entity.KindExtensionService: entity.DepExtensionService,
	}
	kind, known := kinds[r.Kind]
	return entity.Dep{Kind: kind, Name: r.Name}, known
}

// Exists reports whether an object exists in any namespace, even if nothing of it can be used.
func (v *View) Exists(ref entity.Ref) bool {
	if dep, known := existenceOf(ref); known {
		v.deps.Add(dep)
	}
	if _, isTried := triedOf[Entry](v, ref); isTried {
		return true
	}
	_, exists := v.catalog.entries[ref]
	return exists && !v.isHidden(ref)
}

// WhyUnread returns why nothing of an object that exists can be used; empty if something can, or if that is not known.
func (v *View) WhyUnread(ref entity.Ref) string {
	if unread, ok := v.catalog.entries[ref].(*Unread); ok && v.Exists(ref) {
		return unread.Problem
	}
	return ""
}

// IsMember reports whether a namespace is part of the mesh. In contrast to InMesh, it records a dependency.
func (v *View) IsMember(namespace string) bool {
	v.deps.Add(entity.DepMember.In(namespace))
	return v.InMesh(namespace)
}

// RouteGroupsIn returns the HTTPRouteGroups of a namespace, sorted by name.
func (v *View) RouteGroupsIn(namespace string) []*HTTPRouteGroup {
	return Find[*HTTPRouteGroup](v, entity.KindHTTPRouteGroup, entity.DepRouteGroupsIn.In(namespace))
}

// EgressesNaming returns the Egresses that name an UpstreamTrafficSetting, sorted by name.
func (v *View) EgressesNaming(setting entity.Name) []*Egress {
	return Find[*Egress](v, entity.KindEgress, entity.DepSettingUsers.Of(setting))
}

// Selected is how many pods and Services a namespace has.
type Selected struct {
	// Pods are the pods, Ports the ports of all Services, and MostPorts the ports of the Service with the most.
	Pods, Ports, MostPorts int
}

// Selected returns how many pods and Services a namespace has. It records a dependency on the Services only.
func (v *View) Selected(namespace string) Selected {
	count := Selected{Pods: v.catalog.inventory.CountIn(namespace)}
	for service := range v.inventory(entity.DepNamespaceServices.In(namespace)).AllServicesIn(namespace) {
		count.Ports += len(service.Ports)
		count.MostPorts = max(count.MostPorts, len(service.Ports))
	}
	return count
}

// NumericTargetPorts returns the container ports that the Services of a namespace lead to, sorted. complete is false if some are not known:
// those with names, and those of handwritten EndpointSlices. It records a dependency on the Services only.
func (v *View) NumericTargetPorts(namespace string) (known []uint16, complete bool) {
	for service := range v.inventory(entity.DepNamespaceServices.In(namespace)).AllServicesIn(namespace) {
		if !service.HasSelector() {
			return nil, false
		}
		for _, port := range service.Ports {
			if port.TargetName != "" {
				return nil, false
			}
			known = append(known, port.TargetPort)
		}
	}
	return lists.Unique(known), true
}

// SplitsOf returns the TrafficSplits of a root Service, sorted by name.
func (v *View) SplitsOf(root entity.Name) []*TrafficSplit {
	return Find[*TrafficSplit](v, entity.KindTrafficSplit, entity.DepSplit.Of(root))
}

// SplitBackends returns how many backends the TrafficSplits of a namespace have.
func (v *View) SplitBackends(namespace string) int {
	count := 0
	for _, split := range Find[*TrafficSplit](v, entity.KindTrafficSplit, entity.DepSplitsIn.In(namespace)) {
		count += len(split.Backends)
	}
	return count
}
