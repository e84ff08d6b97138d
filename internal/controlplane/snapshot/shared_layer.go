package snapshot

import (
	"sync"

	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/delta"
	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/resource"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/resourcetype"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
)

// sharedLayer has the resources of the shared destinations, for all scopes of one class of pods. A change costs the same for any
// number of scopes, except that each stream is notified.
type sharedLayer struct {
	key sharedKey
	// accessLog is that of the clients; nil for the default.
	accessLog *scope.AccessLog
	// scopes belongs to the Store's goroutine.
	scopes map[*scopeNode]struct{}

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
		s.notifyStreams(n, changes)
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
		versions[name] = c.Hash()
	}
	if t == resourcetype.Endpoints {
		for name, e := range l.endpoints {
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
