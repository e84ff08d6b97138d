package snapshot

import (
	"cmp"
	"maps"
	"slices"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
)

const (
	// maxQuarantinedSets is how many sets of quarantined policies have shared destinations. Each costs as much as the destinations of one scope. Scopes
	// with other sets have destinations of their own.
	maxQuarantinedSets = 16
	// maxNamespaceSets is how many of them the scopes of one namespace can cause, so that its sidecars cannot take all by rejecting configuration.
	maxNamespaceSets = 4
)

// sharedSets has the shared destinations of each set of quarantined policies. They exist while scopes use them.
type sharedSets struct {
	// list is sorted by the number of quarantined policies. Nearly always there is one element, without any.
	list  []*sharedDestinations
	index *catalog.Index[*sharedDestinations]
}

// affected returns the shared destinations that depend on any of deps, in the order of the list.
func (x *sharedSets) affected(deps []entity.Dep) []*sharedDestinations {
	nodes := x.index.Affected(deps)
	var affected []*sharedDestinations
	for _, d := range x.list {
		if _, isAffected := nodes[d]; isAffected || d.parts.index.HasDependents(deps) {
			affected = append(affected, d)
		}
	}
	return affected
}

func (x *sharedSets) add(d *sharedDestinations) {
	i, _ := slices.BinarySearchFunc(x.list, len(d.without), func(other *sharedDestinations, count int) int { return cmp.Compare(len(other.without), count) })
	x.list = slices.Insert(x.list, i, d)
}

func (x *sharedSets) remove(d *sharedDestinations) {
	x.list = slices.DeleteFunc(x.list, func(other *sharedDestinations) bool { return other == d })
	x.index.Remove(d)
}

// hasRoomFor reports whether a scope of a namespace may cause shared destinations without some policies.
func (x *sharedSets) hasRoomFor(namespace string) bool {
	sets, ofNamespace := 0, 0
	for _, d := range x.list {
		if len(d.without) == 0 {
			continue
		}
		sets++
		if d.cause == namespace {
			ofNamespace++
		}
	}
	return sets < maxQuarantinedSets && ofNamespace < maxNamespaceSets
}

// sharedFor returns the shared destinations of a scope with quarantined policies, and builds them if there are none yet. It returns nil if there are
// too many, or nothing is permissive.
func (s *Store) sharedFor(n *scopeNode, quarantined map[entity.Ref]struct{}) *sharedDestinations {
	if d := s.existingShared(quarantined); d != nil {
		return d
	}
	namespace := n.key.Identity.Namespace
	if len(quarantined) > 0 && !s.shared.hasRoomFor(namespace) {
		return nil
	}
	d := &sharedDestinations{without: quarantined, cause: namespace, layers: map[sharedKey]*sharedLayer{}, parts: newSharedParts()}
	if s.buildShared(d); d.current == nil {
		s.shared.index.Remove(d)
		return nil
	}
	s.shared.add(d)
	return d
}

// existingShared returns shared destinations that equal those without some policies, or nil.
func (s *Store) existingShared(without map[entity.Ref]struct{}) *sharedDestinations {
	i := slices.IndexFunc(s.shared.list, func(d *sharedDestinations) bool { return s.equalsWithout(d, without) })
	if i < 0 {
		return nil
	}
	return s.shared.list[i]
}

// equalsWithout reports whether shared destinations are what they would be without some policies: they were built without some of these, and do not
// depend on the others. So nobody leaves the destinations of all because of a policy about, for example, its own ports.
func (s *Store) equalsWithout(d *sharedDestinations, policies map[entity.Ref]struct{}) bool {
	if d.current == nil {
		return false
	}
	for policy := range d.without {
		if _, ok := policies[policy]; !ok {
			return false
		}
	}
	for policy := range policies {
		if _, ok := d.without[policy]; !ok && s.shared.dependsOnAny(d, s.catalog.PolicyDeps(policy)) {
			return false
		}
	}
	return true
}

// rebuildShared builds the shared destinations again that depend on touched, and updates their layers. It returns the scopes whose own resources depend on
// the difference. Destinations without fewer policies come first: a scope whose policy is released moves to them, and must not get their earlier
// version, which has the rejected version of the policy.
func (s *Store) rebuildShared(touched []entity.Dep) []*scopeNode {
	var dependents []*scopeNode
	for _, d := range s.shared.affected(touched) {
		d.parts.drop(touched)
		if len(d.layers) > 0 { // otherwise all scopes have moved
			dependents = append(dependents, s.rebuildDestinations(d)...)
		}
	}
	return dependents
}

// moveScopes moves scopes to other destinations if their quarantined policies have changed, or if destinations depend on these now. It comes before
// the layers are updated, which would have what is quarantined.
func (s *Store) moveScopes(d *sharedDestinations) {
	for _, n := range d.scopes() {
		if !s.equalsWithout(d, s.quarantine.Policies(n.key)) {
			s.rebuildScope(n)
		}
	}
}

// leavesShared reports whether a scope with shared destinations needs destinations of its own.
func (s *Store) leavesShared(n *scopeNode) bool {
	return n.shared != nil && !scope.UsesSharedDestinations(s.catalog.ViewWithout(s.quarantine.Policies(n.key)), n.key.Identity)
}

// policiesOf returns the policies that shared destinations depend on, sorted. There are many dependencies, so the list is kept for all scopes.
func (s *Store) policiesOf(d *sharedDestinations) []entity.Ref {
	if d.policies == nil {
		d.policies = append([]entity.Ref{}, s.catalog.Policies(s.shared.dependencies(d))...)
	}
	return d.policies
}

// scopesDependingOn returns the scopes that were built from any of deps, including shared destinations.
func (s *Store) scopesDependingOn(deps []entity.Dep) map[*scopeNode]struct{} {
	scopes := maps.Clone(s.scopeIndex.Affected(deps))
	for _, d := range s.shared.affected(deps) {
		for _, n := range d.scopes() {
			scopes[n] = struct{}{}
		}
	}
	return scopes
}
