package snapshot

import (
	"slices"
	"sync"

	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/delta"
	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/resource"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/resourcetype"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/telemetry"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
)

// layer is a set of resources. A scope has one or two: its own, and one that it shares with other scopes.
type layer struct {
	// contents has the resources by type and name, without endpoints and certificates of workloads.
	contents [resourcetype.NumTypes]map[string]*resource.Content
	// endpoints has the endpoints of the clusters, by cluster name.
	endpoints map[string]*endpointsNode
}

// content returns a resource, or nil.
func (l *layer) content(t resourcetype.Type, name string) *resource.Content {
	if t != resourcetype.Endpoints {
		return l.contents[t][name]
	}
	if e := l.endpoints[name]; e != nil {
		return e.current.Load()
	}
	return nil
}

// all returns all resources.
func (l *layer) all() []*resource.Content {
	var list []*resource.Content
	for t := range resourcetype.NumTypes {
		for _, c := range l.contents[t] {
			list = append(list, c)
		}
	}
	for _, e := range l.endpoints {
		if c := e.current.Load(); c != nil {
			list = append(list, c)
		}
	}
	return list
}

// edits are changes of a layer. A nil value removes the name.
type edits struct {
	contents  [resourcetype.NumTypes]map[string]*resource.Content
	endpoints map[string]*endpointsNode
}

// apply makes edits and returns what changed.
func (l *layer) apply(e edits) delta.Changes {
	var changes delta.Changes
	for t := range resourcetype.NumTypes {
		changes[t] = applyEdits(&l.contents[t], e.contents[t])
	}
	changes[resourcetype.Endpoints] = applyEdits(&l.endpoints, e.endpoints)
	return changes
}

// replacedEndpoints returns the endpoints that edits remove or replace.
func (l *layer) replacedEndpoints(e edits) []*endpointsNode {
	var replaced []*endpointsNode
	for name, after := range e.endpoints {
		if before := l.endpoints[name]; before != nil && before != after {
			replaced = append(replaced, before)
		}
	}
	return replaced
}

// removeOthers adds edits that remove everything without an edit.
func (e *edits) removeOthers(l *layer) {
	for t := range resourcetype.NumTypes {
		removeOthers(e.contents[t], l.contents[t])
	}
	removeOthers(e.endpoints, l.endpoints)
}

func removeOthers[V any](edits, current map[string]*V) {
	for name := range current {
		if edits[name] == nil {
			edits[name] = nil
		}
	}
}

// applyEdits edits a map and returns the sorted keys whose values changed. Equal contents are interned, so pointers are compared.
func applyEdits[V any](values *map[string]*V, edits map[string]*V) []string {
	var names []string
	for name, value := range edits {
		if (*values)[name] == value {
			continue
		}
		names = append(names, name)
		if value == nil {
			delete(*values, name)
			continue
		}
		if *values == nil {
			*values = map[string]*V{}
		}
		(*values)[name] = value
	}
	slices.Sort(names)
	return names
}

// sharedLayer has the resources of the shared destinations, for all scopes of one class of pods. A change costs the same for any
// number of scopes, except that each stream is notified.
type sharedLayer struct {
	of  *sharedDestinations
	key sharedKey
	// accessLog is that of the clients; nil for the default.
	accessLog *telemetry.AccessLog
	// scopes and completed belong to the Store's goroutine.
	scopes    map[*scopeNode]struct{}
	completed completedScope

	// mu guards the following fields. The Store's goroutine alone modifies them.
	mu sync.RWMutex
	layer
	// sums has the XOR of the hashes in contents.
	sums  [resourcetype.NumTypes]resource.Version
	bases [resourcetype.NumTypes]sharedBase
}

// sharedBase is the Base of the streams for one type.
type sharedBase struct {
	base *delta.Base
	// changes counts the names that changed since base was made.
	changes int
}

// sumWithout returns the XOR of the hashes of a type, without resources that a scope has in another form.
func (l *sharedLayer) sumWithout(t resourcetype.Type, others map[string]*resource.Content) resource.Version {
	sum := l.sums[t]
	for name := range others {
		if c := l.contents[t][name]; c != nil {
			sum = sum.Xor(c.Hash())
		}
	}
	return sum
}

// update applies edits and notifies all streams.
func (l *sharedLayer) update(s *Store, e edits) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for t := range resourcetype.NumTypes {
		for name, after := range e.contents[t] {
			l.sums[t] = l.sums[t].Xor(hashOf(l.contents[t][name])).Xor(hashOf(after))
		}
	}
	changes := l.apply(e)
	s.trace.AddResources(changes.Len())
	l.notifyStreams(s, &changes)
}

// notify implements endpointsUser.
func (l *sharedLayer) notify(s *Store, changes *delta.Changes) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.notifyStreams(s, changes)
}

// notifyStreams requires the write lock.
func (l *sharedLayer) notifyStreams(s *Store, changes *delta.Changes) {
	if changes.IsEmpty() {
		return
	}
	l.refreshBases(changes)
	for n := range l.scopes {
		s.notifyStreams(n, changes, s.trace)
	}
}

// refreshBases makes the bases again that differ too much from the contents.
func (l *sharedLayer) refreshBases(changes *delta.Changes) {
	for t := range resourcetype.NumTypes {
		b := &l.bases[t]
		b.changes += len(changes[t])
		if t == resourcetype.Endpoints {
			b.changes += len(changes[resourcetype.Clusters]) // the version of endpoints includes that of the cluster
		}
		if b.changes > delta.MaxExceptions(b.base) {
			*b = sharedBase{base: l.newBase(t)}
		}
	}
}

func (l *sharedLayer) newBase(t resourcetype.Type) *delta.Base {
	versions := make(map[string]resource.Version, len(l.contents[t])+len(l.endpoints))
	for name, c := range l.contents[t] {
		if !scope.IsOnDemandName(name) { // few clients have it
			versions[name] = c.Hash()
		}
	}
	if t == resourcetype.Endpoints {
		for name, e := range l.endpoints {
			if scope.IsOnDemandName(name) {
				continue
			}
			cluster := l.contents[resourcetype.Clusters][name]
			if c := e.current.Load(); c != nil && cluster != nil {
				versions[name] = resource.CombineVersions(c.Hash(), cluster.Hash())
			}
		}
	}
	return delta.NewBase(versions)
}

// hashOf returns the zero Version for nil.
func hashOf(c *resource.Content) resource.Version {
	if c == nil {
		return resource.Version{}
	}
	return c.Hash()
}
