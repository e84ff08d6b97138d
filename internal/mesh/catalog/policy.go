package catalog

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
)

// isWorkload reports whether entries of the kind say which workloads, gateways, Secrets and ConfigMaps exist, or are settings.
func (k Kind) isWorkload() bool {
	switch k {
	case KindNamespace, KindNamespaceLabels, KindServiceCIDR, KindServiceAccount, KindPod, KindService, KindEndpointSlice, KindSettings,
		KindGatewayClass, KindGateway, KindReferenceGrant, KindGatewayCertificate, KindGatewayAuthorities, KindEgressCredential, KindBackendAuthorities:
		return true
	}
	return false
}

// IsPolicy reports whether entries of the kind are policies: leaving one out changes how traffic is handled, but not
// which workloads exist.
func (k Kind) IsPolicy() bool { return !k.isWorkload() }

// Required is an entry that no view excludes. A BackendTLSPolicy is none: an excluded one exists, and cannot be used.
type Required interface {
	Entry
	Required()
}

// Compare orders by kind, then name.
func (r Ref) Compare(other Ref) int {
	return cmp.Or(cmp.Compare(r.Kind, other.Kind), r.Name.Compare(other.Name))
}

// ViewWithout returns a view in which the excluded policies do not exist. It records dependencies on them all the
// same, so whatever was built from it is rebuilt when an excluded policy changes. The map must not change while the
// view is in use; nil excludes nothing.
func (c *Catalog) ViewWithout(excluded map[Ref]struct{}) *View {
	return &View{catalog: c, deps: depSet{}, excluded: excluded}
}

// ViewWith returns a view with another version of a policy, or with one that does not exist yet. It is for what people are told before they store it.
func (c *Catalog) ViewWith(policy Entry) *View {
	return &View{catalog: c, deps: depSet{}, instead: policy}
}

func (v *View) isHidden(ref Ref) bool {
	_, hidden := v.excluded[ref]
	return hidden
}

// visible removes the entries that the view excludes.
func visible[E Entry](v *View, list []E) []E {
	if len(v.excluded) == 0 {
		return list
	}
	return slices.DeleteFunc(list, func(e E) bool { return v.isHidden(e.Ref()) })
}

// Named records a dependency on an entry and returns it, or the zero value if it does not exist or is not visible in the view.
func Named[E Entry](v *View, kind Kind, dep DepKind, name Name) E {
	v.deps.add(dep, name)
	if entry, ok := v.instead.(E); ok && v.instead.Ref() == (Ref{kind, name}) {
		return entry
	}
	entry, ok := get[E](v.catalog, kind, name)
	if !ok || v.isHidden(Ref{kind, name}) {
		var none E
		return none
	}
	return entry
}

// Find records a dependency and returns the visible entries of a kind that have it, in order of their names.
func Find[E Entry](v *View, kind Kind, dep Dep) []E {
	v.deps[dep] = struct{}{}
	list := visible(v, sorted[E](v.catalog, kind, dep))
	if entry, ok := v.instead.(E); ok && v.instead.Ref().Kind == kind {
		list = slices.DeleteFunc(list, func(e E) bool { return e.Ref() == entry.Ref() })
		if slices.Contains(entry.Deps(nil), dep) {
			list = append(list, entry)
			slices.SortFunc(list, func(a, b E) int { return a.Ref().Name.Compare(b.Ref().Name) })
		}
	}
	return list
}

// Policies returns the existing policies that any of the dependencies refer to, sorted, without those that are never excluded.
func (c *Catalog) Policies(deps []Dep) []Ref {
	found := map[Ref]struct{}{}
	for _, dep := range deps {
		if dep.Kind.isSelection() {
			continue
		}
		for kind := range c.policyKinds {
			for name := range c.names(kind, dep) {
				found[Ref{kind, name}] = struct{}{}
			}
		}
	}
	return slices.SortedFunc(maps.Keys(found), Ref.Compare)
}

// PolicyDeps returns the dependencies that refer to a policy, sorted; none when the policy does not exist.
func (c *Catalog) PolicyDeps(policy Ref) []Dep {
	entry, ok := c.entries[policy]
	if !ok || !policy.Kind.IsPolicy() {
		return nil
	}
	deps := slices.DeleteFunc(entry.Deps(nil), func(dep Dep) bool { return dep.Kind.isSelection() })
	slices.SortFunc(deps, Dep.Compare)
	return slices.Compact(deps)
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
}](v *View, kind Kind, dep Dep, include func(E) bool) E {
	var none E
	list := Find[E](v, kind, dep)
	list = slices.DeleteFunc(list, func(e E) bool { return !include(e) })
	if len(list) == 0 {
		return none
	}
	return slices.MinFunc(list, func(a, b E) int { return a.Age().Compare(b.Age()) })
}

// HasLabels reports whether a pod has all labels of a selector.
func (p *Pod) HasLabels(selector map[string]string) bool {
	for key, value := range selector {
		if have, ok := p.Labels[key]; !ok || have != value {
			return false
		}
	}
	return true
}

// NamesOfPods collects names for the running pods of an identity, sorted, without empty ones. It records no dependency on the pods: only explanations use it.
func (v *View) NamesOfPods(account identity.ServiceAccount, of func(*Pod) []Name) []Name {
	var names []Name
	for _, pod := range entriesNamed[*Pod](v.catalog, KindPod, v.catalog.pods[account.Namespace]) {
		if pod.Identity() == account && !pod.Finished {
			names = append(names, of(pod)...)
		}
	}
	names = slices.DeleteFunc(names, func(name Name) bool { return name == Name{} })
	slices.SortFunc(names, Name.Compare)
	return slices.Compact(names)
}
