package snapshot

import (
	"slices"

	"github.com/openservicemesh/osm-operator/internal/catalog"
	"github.com/openservicemesh/osm-operator/internal/scope"
)

// sharedDestinations are the destinations that every client may call: all in permissive mode, otherwise those of permissive
// namespaces. They are built, compared and translated once for all scopes that use them. A scope that may call more, or that has
// quarantined policies, has its own destinations.
type sharedDestinations struct {
	// current is nil while no scope uses it.
	current *scope.Destinations
	// separable is the result of isSeparable for current.
	separable bool
	// previous is what current replaced. removed and added are the difference, reduced to the destinations that may differ; nil if
	// current must be translated as a whole.
	previous, removed, added *scope.Destinations
	// scopes use current, or previous until they are rebuilt.
	scopes map[*scopeNode]struct{}
	// index has one node: this.
	index *index[*sharedDestinations]
	// translations caches the resources that are equal for all scopes.
	translations map[translationKey][]translated
}

// translationKey has everything that shared resources depend on.
type translationKey struct {
	destinations *scope.Destinations
	ipv6         bool
}

func newSharedDestinations() *sharedDestinations {
	return &sharedDestinations{
		scopes: map[*scopeNode]struct{}{}, index: newIndex[*sharedDestinations](), translations: map[translationKey][]translated{},
	}
}

// rebuild builds the destinations again if they depend on touched. It reports whether they changed.
func (d *sharedDestinations) rebuild(touched []catalog.Dep, mesh *catalog.Catalog) bool {
	if len(d.index.affected(touched)) == 0 {
		return false
	}
	previous := d.current
	current := d.build(mesh)
	if previous != nil && current != nil && slices.EqualFunc(previous.Outbound, current.Outbound, byValue(equalOutbound)) &&
		slices.EqualFunc(previous.Clusters, current.Clusters, byValue(equalCluster)) {
		return false
	}
	d.previous, d.removed, d.added = previous, nil, nil
	d.set(current)
	if previous != nil && current != nil {
		d.removed, d.added = reduce(previous, current)
	}
	return true
}

// build returns nil if the mesh has no shared destinations.
func (d *sharedDestinations) build(mesh *catalog.Catalog) *scope.Destinations {
	view := mesh.View()
	built := scope.SharedDestinations(view)
	d.index.set(d, view.Deps())
	return built
}

func (d *sharedDestinations) set(current *scope.Destinations) {
	d.current = current
	clear(d.translations)
	d.separable = current != nil && isSeparable(current.Outbound)
}

// use adds a scope and returns the destinations.
func (d *sharedDestinations) use(n *scopeNode, mesh *catalog.Catalog) *scope.Destinations {
	if d.current == nil {
		d.set(d.build(mesh))
	}
	d.scopes[n] = struct{}{}
	return d.current
}

// release removes a scope. The destinations are dropped with the last one.
func (d *sharedDestinations) release(n *scopeNode) {
	if _, in := d.scopes[n]; !in {
		return
	}
	delete(d.scopes, n)
	if len(d.scopes) == 0 {
		d.index.remove(d)
		d.previous, d.removed, d.added = nil, nil, nil
		d.set(nil)
	}
}

// dependencies returns what a scope was built from, including its shared destinations.
func (s *Store) dependencies(n *scopeNode) []catalog.Dep {
	if _, shares := s.shared.scopes[n]; shares {
		return slices.Concat(s.scopeIndex.dependencies[n], s.shared.index.dependencies[s.shared])
	}
	return s.scopeIndex.dependencies[n]
}

// scopesDependingOn returns the scopes that were built from any of deps, including shared destinations.
func (s *Store) scopesDependingOn(deps []catalog.Dep) map[*scopeNode]struct{} {
	scopes := s.scopeIndex.affected(deps)
	if len(s.shared.index.affected(deps)) > 0 {
		for n := range s.shared.scopes {
			scopes[n] = struct{}{}
		}
	}
	return scopes
}
