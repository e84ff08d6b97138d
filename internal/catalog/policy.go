package catalog

import (
	"cmp"
	"maps"
	"slices"

	"github.com/openservicemesh/osm-operator/internal/identity"
)

// IsPolicy says whether entries of the kind are written to steer traffic, and so can be left out without anybody losing sight
// of a workload.
func (k Kind) IsPolicy() bool {
	switch k {
	case KindTrafficTarget, KindHTTPRouteGroup, KindTCPRoute, KindTrafficSplit, KindRetry, KindUpstreamTrafficSetting, KindBackpressure:
		return true
	default:
		return false
	}
}

// Compare orders by kind, then name.
func (r Ref) Compare(other Ref) int {
	return cmp.Or(cmp.Compare(r.Kind, other.Kind), r.Name.Compare(other.Name))
}

// ViewWithout starts a record of reads in which some policies do not exist. What depends on the question is recorded all the
// same, so that whoever built something from the view hears of it when the policy changes. The map must not be changed while
// the view is in use; nil withholds nothing.
func (c *Catalog) ViewWithout(withheld map[Ref]struct{}) *View {
	return &View{catalog: c, deps: touches{}, withheld: withheld}
}

func (v *View) hides(ref Ref) bool {
	_, hidden := v.withheld[ref]
	return hidden
}

// shown are the entries that a view does not hide.
func shown[E Entry](v *View, list []E) []E {
	if len(v.withheld) == 0 {
		return list
	}
	return slices.DeleteFunc(list, func(e E) bool { return v.hides(e.Ref()) })
}

// Policies are the policies that answer any of the questions, sorted: what whoever asked them was built from.
func (c *Catalog) Policies(deps []Dep) []Ref {
	found := map[Ref]struct{}{}
	for _, dep := range deps {
		switch dep.Kind {
		case DepTargetsTo:
			collect(found, KindTrafficTarget, c.targetsTo[identity.ServiceAccount(dep.Name)])
		case DepTargetsFrom:
			collect(found, KindTrafficTarget, c.targetsFrom[identity.ServiceAccount(dep.Name)])
		case DepSplit:
			collect(found, KindTrafficSplit, c.splitsOf[dep.Name])
		case DepSplitsWith:
			collect(found, KindTrafficSplit, c.splitsWith[dep.Name])
		case DepRetriesFrom:
			collect(found, KindRetry, c.retriesFrom[identity.ServiceAccount(dep.Name)])
		case DepUpstreamSetting:
			collect(found, KindUpstreamTrafficSetting, c.settingsOf[dep.Name])
			collect(found, KindBackpressure, c.backpressuresOf[dep.Name])
		case DepHTTPRouteGroup:
			c.collectOne(found, Ref{KindHTTPRouteGroup, dep.Name})
		case DepTCPRoute:
			c.collectOne(found, Ref{KindTCPRoute, dep.Name})
		}
	}
	return slices.SortedFunc(maps.Keys(found), Ref.Compare)
}

func collect(found map[Ref]struct{}, kind Kind, names map[Name]struct{}) {
	for name := range names {
		found[Ref{kind, name}] = struct{}{}
	}
}

func (c *Catalog) collectOne(found map[Ref]struct{}, ref Ref) {
	if _, ok := c.entries[ref]; ok {
		found[ref] = struct{}{}
	}
}

// Questions are those that a policy is part of the answer to, sorted; none when there is no such policy.
func (c *Catalog) Questions(policy Ref) []Dep {
	touched := touches{}
	if entry, ok := c.entries[policy]; ok {
		touchPolicy(entry, touched)
	}
	return slices.SortedFunc(maps.Keys(touched), Dep.Compare)
}

// touchPolicy touches what depends on a policy.
func touchPolicy(entry Entry, touched touches) {
	switch e := entry.(type) {
	case *TrafficTarget:
		touched.account(DepTargetsTo, e.Destination)
		for _, source := range e.Sources {
			touched.account(DepTargetsFrom, source)
		}
	case *HTTPRouteGroup:
		touched.add(DepHTTPRouteGroup, e.Name)
	case *TCPRoute:
		touched.add(DepTCPRoute, e.Name)
	case *TrafficSplit:
		touched.add(DepSplit, e.Root)
		for _, backend := range e.Backends {
			touched.add(DepSplitsWith, backend.Service)
		}
	case *Retry:
		touched.account(DepRetriesFrom, e.Source)
	case *UpstreamTrafficSetting:
		touched.add(DepUpstreamSetting, e.Service)
	}
}
