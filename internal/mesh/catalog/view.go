package catalog

import (
	"maps"
	"slices"

	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
)

// View reads the catalog and records its dependencies. It is valid until the next Apply.
type View struct {
	catalog *Catalog
	deps    entity.DepSet
	// excluded are policies that the view does not contain.
	excluded map[entity.Ref]struct{}
	// tried are entries that replace their stored versions, or are not stored at all. Of two versions, the last one counts.
	tried []Entry
	// memo has the results of Memo.
	memo map[any]any
}

// View returns a view without recorded dependencies.
func (c *Catalog) View() *View { return &View{catalog: c, deps: entity.DepSet{}} }

// Part returns a view of the same entries without recorded dependencies, for what is built and kept apart.
func (v *View) Part() *View { return v.Without(v.excluded) }

// Deps returns all recorded dependencies, in no particular order.
func (v *View) Deps() []entity.Dep {
	return slices.AppendSeq(make([]entity.Dep, 0, len(v.deps)), maps.Keys(v.deps)) // kept for long, so without room to grow
}

// DependOn records dependencies that another view, made by Part, has recorded.
func (v *View) DependOn(deps []entity.Dep) {
	for _, dep := range deps {
		v.deps.Add(dep)
	}
}

// read records that what is built depends on something, and returns the entry to read it from, or the zero value if it is not visible in the view.
func read[E Entry](v *View, dep entity.Dep, kind entity.Kind, name entity.Name) E {
	v.deps.Add(dep)
	ref := entity.Ref{Kind: kind, Name: name}
	entry, exists := triedOf[E](v, ref)
	if !exists && !v.isHidden(ref) {
		entry, _ = get[E](v.catalog, kind, name)
	}
	return entry
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
	if s := read[*Settings](v, entity.Dep{Kind: entity.DepSettings}, entity.KindSettings, entity.Name{}); s != nil {
		return *s
	}
	return Settings{}
}

// ServiceAccountUID returns the UID of an existing service account, or an empty string.
func (v *View) ServiceAccountUID(sa identity.ServiceAccount) string {
	name := entity.Name(sa)
	if account := read[*ServiceAccount](v, entity.DepAccount.Of(name), entity.KindServiceAccount, name); account != nil {
		return account.UID
	}
	return ""
}

// TargetsTo returns the TrafficTargets whose destination is the service account, sorted by name.
func (v *View) TargetsTo(sa identity.ServiceAccount) []*TrafficTarget {
	return Find[*TrafficTarget](v, entity.KindTrafficTarget, entity.DepTargetsTo.Of(entity.Name(sa)))
}

type targetsFromKey identity.ServiceAccount

// TargetsFrom returns the TrafficTargets with the service account among their sources, sorted by name. The caller must
// not change the list.
func (v *View) TargetsFrom(sa identity.ServiceAccount) []*TrafficTarget {
	return Memo(v, targetsFromKey(sa), func() []*TrafficTarget {
		return Find[*TrafficTarget](v, entity.KindTrafficTarget, entity.DepTargetsFrom.Of(entity.Name(sa)))
	})
}

// HTTPRouteGroup returns an HTTPRouteGroup, or nil.
func (v *View) HTTPRouteGroup(name entity.Name) *HTTPRouteGroup {
	return Named[*HTTPRouteGroup](v, entity.KindHTTPRouteGroup, entity.DepHTTPRouteGroup, name)
}

// TCPRoute returns a TCPRoute, or nil.
func (v *View) TCPRoute(name entity.Name) *TCPRoute {
	return Named[*TCPRoute](v, entity.KindTCPRoute, entity.DepTCPRoute, name)
}

// GroupMatches returns the matches of those HTTPRouteGroups of a namespace that exist, in order of the names.
func (v *View) GroupMatches(namespace string, groups []string) []HTTPMatch {
	return lists.FlatMap(groups, func(name string) []HTTPMatch {
		if group := v.HTTPRouteGroup(entity.Name{Namespace: namespace, Name: name}); group != nil {
			return group.Matches
		}
		return nil
	})
}

// Permissive reports whether every identity of the mesh may call the Services and pods of a namespace: by the
// namespace's override, or else by the mesh-wide setting.
func (v *View) Permissive(namespace string) bool {
	v.deps.Add(entity.DepPermissive.In(namespace))
	ns, ok := get[*Namespace](v.catalog, entity.KindNamespace, entity.Name{Namespace: namespace})
	if ok && ns.Permissive != nil {
		return *ns.Permissive
	}
	return v.Settings().Permissive
}

// DecodesSlashes reports whether escaped slashes in the paths of requests to a Service count as slashes. Otherwise such requests are rejected. An empty name
// of the Service is that of the namespace's Egresses.
func (v *View) DecodesSlashes(name entity.Name) bool {
	if name.Name != "" {
		if service := v.Service(name); service != nil && service.DecodeSlashes != nil {
			return *service.DecodeSlashes
		}
	}
	v.deps.Add(entity.DepEscapedSlashes.In(name.Namespace))
	ns, ok := get[*Namespace](v.catalog, entity.KindNamespace, entity.Name{Namespace: name.Namespace})
	return ok && ns.DecodeSlashes
}

// PermissiveOverrides returns the namespaces that override permissive mode, sorted. Permissive returns their setting.
func (v *View) PermissiveOverrides() []string {
	namespaces := Find[*Namespace](v, entity.KindNamespace, entity.Dep{Kind: entity.DepPermissiveOverrides})
	return lists.Map(namespaces, func(ns *Namespace) string { return ns.Name })
}

// Split returns the TrafficSplit in force for requests to a root Service that no split with matches selects. It is the oldest without
// matches, the first by name among those of equal age; nil if there is none.
func (v *View) Split(root entity.Name) *TrafficSplit {
	everything := func(s *TrafficSplit) bool { return len(s.Matches) == 0 }
	return Oldest(v, entity.KindTrafficSplit, entity.DepSplit.Of(root), everything)
}

// MatchingSplits returns the TrafficSplits that select some requests to a root Service: the oldest first, then by
// name. The first split whose HTTPRouteGroups match a request applies to it.
func (v *View) MatchingSplits(root entity.Name) []*TrafficSplit {
	splits := Find[*TrafficSplit](v, entity.KindTrafficSplit, entity.DepSplit.Of(root))
	splits = slices.DeleteFunc(splits, func(s *TrafficSplit) bool { return len(s.Matches) == 0 })
	slices.SortStableFunc(splits, func(a, b *TrafficSplit) int { return a.Created.Compare(b.Created) })
	return splits
}

// RootsOf returns the root Services of the TrafficSplits, and the parents of the routes, that have the Service among their backends, sorted.
func (v *View) RootsOf(backend entity.Name) []entity.Name {
	dep := entity.DepSplitsWith.Of(backend)
	roots := lists.Map(Find[*TrafficSplit](v, entity.KindTrafficSplit, dep), func(split *TrafficSplit) entity.Name { return split.Root })
	for _, route := range v.routes(dep) {
		for _, parent := range route.Parents {
			// Most routes of a Service have the same parent.
			if parent.Service != (entity.Name{}) && (len(roots) == 0 || roots[len(roots)-1] != parent.Service) {
				roots = append(roots, parent.Service)
			}
		}
	}
	return lists.UniqueFunc(roots, entity.Name.Compare)
}
