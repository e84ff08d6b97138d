package snapshot

import (
	"slices"

	"github.com/openservicemesh/osm-operator/internal/catalog"
	"github.com/openservicemesh/osm-operator/internal/scope"
)

// common is what everybody may call in a permissive mesh, and in the permissive namespaces of any mesh. Each scope would find the
// same, and find the same difference when a Service comes or goes, so it is done once. A scope that may call more, or from which
// policies are withheld, has destinations of its own.
type common struct {
	// current is nil while nobody shares it.
	current *scope.Destinations
	// separate is what separable says of current.
	separate bool
	// before is what current replaced, and was and is what the two differ in, nil when that was not to be told apart.
	before, was, is *scope.Destinations
	// scopes are those that share current, or before until they are built again.
	scopes map[*scopeNode]struct{}
	// reads has one node: this.
	reads *index[*common]
	// contents are the resources of current, was and is that are the same for all scopes, where somebody has needed them.
	contents map[commonKey][]translated
}

// commonKey is what the resources of destinations depend on beside the destinations: the address families of the pod.
type commonKey struct {
	destinations *scope.Destinations
	ipv6         bool
}

func newCommon() *common {
	return &common{scopes: map[*scopeNode]struct{}{}, reads: newIndex[*common](), contents: map[commonKey][]translated{}}
}

// update builds the common destinations again if any of the touched dependencies asks for it, and says whether they differ.
func (c *common) update(touched []catalog.Dep, mesh *catalog.Catalog) bool {
	if len(c.reads.touched(touched)) == 0 {
		return false
	}
	before := c.current
	after := c.build(mesh)
	if before != nil && after != nil && slices.EqualFunc(before.Outbound, after.Outbound, equal(sameOutbound)) &&
		slices.EqualFunc(before.Clusters, after.Clusters, equal(sameCluster)) {
		return false
	}
	c.before, c.was, c.is = before, nil, nil
	c.set(after)
	if before != nil && after != nil {
		c.was, c.is = narrowed(before, after)
	}
	return true
}

// build makes the common destinations and remembers what they were made from; nil when the mesh has none.
func (c *common) build(mesh *catalog.Catalog) *scope.Destinations {
	view := mesh.View()
	built := scope.Common(view)
	c.reads.set(c, view.Deps())
	return built
}

func (c *common) set(d *scope.Destinations) {
	c.current = d
	clear(c.contents)
	c.separate = d != nil && separable(d.Outbound)
}

// share gives a scope the common destinations and has it built again when they change.
func (c *common) share(n *scopeNode, mesh *catalog.Catalog) *scope.Destinations {
	if c.current == nil {
		c.set(c.build(mesh))
	}
	c.scopes[n] = struct{}{}
	return c.current
}

// leave is for a scope that has destinations of its own or is no longer in use. The last one takes everything with it.
func (c *common) leave(n *scopeNode) {
	if _, in := c.scopes[n]; !in {
		return
	}
	delete(c.scopes, n)
	if len(c.scopes) == 0 {
		c.reads.remove(c)
		c.before, c.was, c.is = nil, nil, nil
		c.set(nil)
	}
}

// readBy is what a scope was made from, by itself and by sharing.
func (s *Store) readBy(n *scopeNode) []catalog.Dep {
	if _, sharing := s.common.scopes[n]; sharing {
		return slices.Concat(s.readsOfScopes.reads[n], s.common.reads.reads[s.common])
	}
	return s.readsOfScopes.reads[n]
}

// scopesThatRead are the scopes that were made from any of deps, by themselves or by sharing.
func (s *Store) scopesThatRead(deps []catalog.Dep) map[*scopeNode]struct{} {
	scopes := s.readsOfScopes.touched(deps)
	if len(s.common.reads.touched(deps)) > 0 {
		for n := range s.common.scopes {
			scopes[n] = struct{}{}
		}
	}
	return scopes
}
