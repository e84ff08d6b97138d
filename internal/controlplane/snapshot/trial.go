package snapshot

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/resource"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/resourcetype"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/telemetry"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
)

// A trial finds what a rejected resource would be without some policies. After a bad upgrade of the control plane all scopes reject the same resources, so
// what trials find out about shared destinations is remembered for the other scopes and resources.

// maxSharedTrials is how many sets of policies are remembered. It is as many as the examination of one resource tries.
const maxSharedTrials = 16

// sharedTrials has the trials of shared destinations by the policies that they lack. They are valid until the mesh changes.
type sharedTrials struct {
	byPolicies map[string]*sharedTrial
	// used is true if there was a trial since the last call of dropUnused.
	used bool
}

// sharedTrial has shared destinations without some policies.
type sharedTrial struct {
	destinations *scope.Scope
	separable    bool
	layers       map[sharedKey]*trialLayer
}

// trialLayer has the resources of a layer.
type trialLayer struct {
	base *sharedLayer
	// differing has the hashes of resources that base does not have in this form. The hash is zero if the resource does not exist.
	differing [resourcetype.NumTypes]map[string]resource.Version
}

// dropUnused releases memory.
func (x *sharedTrials) dropUnused() {
	if !x.used {
		x.drop()
	}
	x.used = false
}

// drop forgets all trials, because the mesh has changed.
func (x *sharedTrials) drop() { x.byPolicies = nil }

// hashWithout returns the hash of a resource of a scope without some policies, which include its quarantined ones. It returns false if the resource does
// not exist then. A resource that cannot be marshalled keeps its earlier version.
func (s *Store) hashWithout(n *scopeNode, policies map[entity.Ref]struct{}, t resourcetype.Type, name string) (resource.Version, bool) {
	if n.shared == nil {
		trial := scope.BuildWithShared(s.catalog.ViewWithout(policies), s.trustDomains, n.key, nil)
		scope.CarryCertificates(n.built, trial)
		return s.hashNamed(n, s.ofType(trial, t, envoy.BuildType), name)
	}
	affectsOwn := s.affectsOwn(n, policies)
	isEqual := s.equalsWithout(n.shared.of, policies)
	destinations, own := n.shared.of.current, n.built
	if !isEqual {
		destinations = s.trySharedWithout(policies).destinations
	}
	if affectsOwn {
		own = scope.BuildWithShared(s.catalog.ViewWithout(policies), s.trustDomains, n.key, destinationsOf(destinations))
	}
	if affectsOwn || !isEqual && ownDependsOnDestinations(own, t) {
		built := withDestinations(own, &scope.Destinations{Outbound: destinations.Outbound})
		if hash, exists := s.hashNamed(n, s.ofType(built, t, envoy.BuildOwnType), name); exists {
			return hash, true
		}
	} else if c := n.own.contents[t][name]; c != nil {
		return c.Hash(), true
	}
	key, log := n.shared.key, n.shared.accessLog
	if !reflect.DeepEqual(own.AccessLog, n.built.AccessLog) {
		key, log = n.shared.of.keyFor(n, own.AccessLog)
	}
	if isEqual && key == n.shared.key {
		c := n.shared.contents[t][name]
		return hashOf(c), c != nil
	}
	return s.layerWithout(n.shared.of, policies, key, log).hash(t, name)
}

// hashNamed returns the hash of the resource with a name, and whether there is one.
func (s *Store) hashNamed(n *scopeNode, resources []envoy.Resource, name string) (resource.Version, bool) {
	i := slices.IndexFunc(resources, func(r envoy.Resource) bool { return r.Name == name })
	if i < 0 {
		return resource.Version{}, false
	}
	r := encode(resources[i : i+1])[0]
	c := s.intern(r)
	if c == nil {
		c, _ = n.Content(r.kind, name)
	}
	return hashOf(c), true
}

// affectsOwn reports whether what a scope shares with no other one may differ without some policies.
func (s *Store) affectsOwn(n *scopeNode, policies map[entity.Ref]struct{}) bool {
	quarantined := s.quarantine.Policies(n.key)
	for policy := range policies {
		if _, already := quarantined[policy]; !already && s.scopeIndex.DependsOnAny(n, s.catalog.PolicyDeps(policy)) {
			return true
		}
	}
	return false
}

// ownDependsOnDestinations reports whether the resources of a type that a scope does not share depend on its destinations.
func ownDependsOnDestinations(own *scope.Scope, t resourcetype.Type) bool {
	return !own.HasNoClientPolicies() || own.IsOnDemand() && t == resourcetype.Listeners
}

// trySharedWithout returns the shared destinations without some policies. They exist, because policies do not decide what is permissive.
func (s *Store) trySharedWithout(policies map[entity.Ref]struct{}) *sharedTrial {
	s.trials.used = true
	key := describePolicies(policies)
	if t := s.trials.byPolicies[key]; t != nil {
		return t
	}
	if len(s.trials.byPolicies) >= maxSharedTrials || s.trials.byPolicies == nil {
		s.trials.byPolicies = map[string]*sharedTrial{}
	}
	t := &sharedTrial{layers: map[sharedKey]*trialLayer{}}
	if d := s.existingShared(policies); d != nil {
		t.destinations, t.separable = d.current, d.separable
	} else {
		t.destinations = s.sharedOf(s.catalog.ViewWithout(policies), nil)
		t.separable = isSeparable(t.destinations.Outbound)
	}
	s.trials.byPolicies[key] = t
	return t
}

// describePolicies returns a text that is equal for equal sets.
func describePolicies(policies map[entity.Ref]struct{}) string {
	var text strings.Builder
	for _, policy := range slices.SortedFunc(maps.Keys(policies), entity.Ref.Compare) {
		fmt.Fprintln(&text, policy.Kind, policy.Name)
	}
	return text.String()
}

// layerWithout returns the resources of shared destinations without some policies, for a key. Usually d has a layer for it, and most resources are equal.
func (s *Store) layerWithout(d *sharedDestinations, policies map[entity.Ref]struct{}, key sharedKey, log *telemetry.AccessLog) *trialLayer {
	t := s.trySharedWithout(policies)
	if l := t.layers[key]; l != nil {
		return l
	}
	l := &trialLayer{base: d.layers[key]}
	separable := t.separable && d.separable
	if l.base == nil {
		l.base, separable = &sharedLayer{of: d, key: key, accessLog: log}, false
	}
	e := s.translateContents(&l.base.layer, l.base.transition(d.current, t.destinations, separable))
	for kind, contents := range e.contents {
		l.differing[kind] = map[string]resource.Version{}
		for name, c := range contents {
			if c != l.base.contents[kind][name] {
				l.differing[kind][name] = hashOf(c)
			}
		}
	}
	t.layers[key] = l
	return l
}

// hash returns the hash of a resource, and whether it exists.
func (l *trialLayer) hash(t resourcetype.Type, name string) (resource.Version, bool) {
	if hash, differs := l.differing[t][name]; differs {
		return hash, hash != resource.Version{}
	}
	c := l.base.contents[t][name]
	return hashOf(c), c != nil
}
