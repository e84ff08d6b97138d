package catalog

import (
	"maps"
	"slices"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
)

// Required is an entry that no view excludes. A BackendTLSPolicy is none: an excluded one exists, and cannot be used.
type Required interface {
	Entry
	Required()
}

// ViewWithout returns a view in which the excluded policies do not exist. It records dependencies on them all the
// same, so whatever was built from it is rebuilt when an excluded policy changes. The map must not change while the
// view is in use; nil excludes nothing.
func (c *Catalog) ViewWithout(excluded map[entity.Ref]struct{}) *View {
	return &View{catalog: c, deps: entity.DepSet{}, excluded: excluded}
}

// Without returns a view of the same entries in which the excluded policies do not exist, like ViewWithout.
func (v *View) Without(excluded map[entity.Ref]struct{}) *View {
	return &View{catalog: v.catalog, deps: entity.DepSet{}, excluded: excluded, tried: v.tried}
}

// With returns a view of the same entries with other versions of policies or settings, or with policies that do not exist yet. It shows their effect before
// they are stored.
func (v *View) With(entries ...Entry) *View {
	return &View{catalog: v.catalog, deps: entity.DepSet{}, excluded: v.excluded, tried: slices.Concat(v.tried, entries)}
}

// triedOf returns the entry that replaces a stored version, if there is one.
func triedOf[E Entry](v *View, ref entity.Ref) (E, bool) {
	for _, tried := range slices.Backward(v.tried) {
		if entry, ok := tried.(E); ok && tried.Ref() == ref {
			return entry, true
		}
	}
	var none E
	return none, false
}

func (v *View) isHidden(ref entity.Ref) bool {
	_, hidden := v.excluded[ref]
	return hidden
}

// Named records a dependency on an entry and returns it, or the zero value if it does not exist or is not visible in the view.
func Named[E Entry](v *View, kind entity.Kind, dep entity.DepKind, name entity.Name) E {
	return read[E](v, dep.Of(name), kind, name)
}

// Find records a dependency and returns the visible entries of a kind that have it, in order of their names.
func Find[E Entry](v *View, kind entity.Kind, dep entity.Dep) []E {
	v.deps.Add(dep)
	list := sorted[E](v.catalog, kind, dep)
	if len(v.excluded) > 0 {
		list = slices.DeleteFunc(list, func(e E) bool { return v.isHidden(e.Ref()) })
	}
	for _, tried := range v.tried {
		entry, ok := tried.(E)
		if !ok || entry.Ref().Kind != kind {
			continue
		}
		list = slices.DeleteFunc(list, func(e E) bool { return e.Ref() == entry.Ref() })
		if slices.Contains(entry.Deps(nil), dep) {
			list = append(list, entry)
			slices.SortFunc(list, func(a, b E) int { return a.Ref().Name.Compare(b.Ref().Name) })
		}
	}
	return list
}

// Policies returns the existing policies that any of the dependencies refer to, sorted, without those that are never excluded.
func (c *Catalog) Policies(deps []entity.Dep) []entity.Ref {
	found := map[entity.Ref]struct{}{}
	for _, dep := range deps {
		if dep.Kind.IsSelection() {
			continue
		}
		for kind := range c.policyKinds {
			for name := range c.names(kind, dep) {
				found[entity.Ref{Kind: kind, Name: name}] = struct{}{}
			}
		}
	}
	return slices.SortedFunc(maps.Keys(found), entity.Ref.Compare)
}

// PolicyDeps returns the dependencies that refer to a policy, sorted; none when the policy does not exist.
func (c *Catalog) PolicyDeps(policy entity.Ref) []entity.Dep {
	entry, ok := c.entries[policy]
	if !ok || !policy.Kind.IsPolicy() {
		return nil
	}
	deps := slices.DeleteFunc(entry.Deps(nil), func(dep entity.Dep) bool { return dep.Kind.IsSelection() })
	return lists.UniqueFunc(deps, entity.Dep.Compare)
}

// Aged is a policy of which several may apply. The oldest wins, so a new object never overrides what works.
type Aged interface {
	Entry
	// Age returns the time of creation.
	Age() time.Time
}

// Oldest records a dependency and returns the oldest selected policy that has it and is visible in the view, the first by name among those of equal age;
// the zero value if there is none.
func Oldest[E interface {
	comparable
	Aged
}](v *View, kind entity.Kind, dep entity.Dep, include func(E) bool) E {
	list := lists.Filter(Find[E](v, kind, dep), include)
	if len(list) == 0 {
		var none E
		return none
	}
	return slices.MinFunc(list, func(a, b E) int { return a.Age().Compare(b.Age()) })
}

// PodsOf returns the running pods of an identity, sorted by name. It records no dependency on the pods: only explanations use it.
func (v *View) PodsOf(account identity.ServiceAccount) []*inventory.Instance {
	return lists.Filter(v.catalog.inventory.InstancesIn(account.Namespace), func(pod *inventory.Instance) bool {
		return pod.Identity() == account && !pod.Finished
	})
}

// NamesOfPods collects names for the running pods of an identity, sorted, without empty ones. Like PodsOf, it records no dependency on them.
func (v *View) NamesOfPods(account identity.ServiceAccount, of func(*inventory.Instance) []entity.Name) []entity.Name {
	names := lists.FlatMap(v.PodsOf(account), of)
	names = slices.DeleteFunc(names, func(name entity.Name) bool { return name == entity.Name{} })
	return lists.UniqueFunc(names, entity.Name.Compare)
}
