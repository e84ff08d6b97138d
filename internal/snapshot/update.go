package snapshot

import (
	"maps"

	"github.com/openservicemesh/osm-operator/internal/catalog"
	"github.com/openservicemesh/osm-operator/internal/envoy"
	"github.com/openservicemesh/osm-operator/internal/identity"
	"github.com/openservicemesh/osm-operator/internal/scope"
)

// update builds again what has read any of the touched dependencies, and nothing else.
func (s *Store) update(touched []catalog.Dep) {
	// What scopes share comes first: a stream that moves to a new scope needs it.
	began := s.config.Now()
	commonDiffers := s.common.update(touched, s.catalog)
	s.spend(StageScope, began)
	for stream := range s.readsOfStreams.touched(touched) {
		s.rebind(stream)
	}
	// A cluster's endpoints are looked at before its scopes: a scope that drops a cluster drops its endpoints with it.
	for e := range s.readsOfEndpoints.touched(touched) {
		s.rebuildEndpoints(e)
	}
	scopes := s.readsOfScopes.touched(touched)
	if commonDiffers {
		maps.Copy(scopes, s.common.scopes)
	}
	for n := range scopes {
		s.rebuildScope(n)
	}
	s.admit()
}

// scopeFor is the scope of a key, built now if nobody uses it yet.
func (s *Store) scopeFor(key scope.Key) *scopeNode {
	if n, ok := s.scopes[key]; ok {
		return n
	}
	n := &scopeNode{key: key, streams: map[*Stream]struct{}{}, identity: s.identityFor(key.Identity)}
	s.scopes[key] = n
	n.identity.scopes[n] = struct{}{}
	s.rebuildScope(n)
	return n
}

func (s *Store) identityFor(sa identity.ServiceAccount) *identityNode {
	n, ok := s.identities[sa]
	if !ok {
		n = &identityNode{account: sa, secret: envoy.ServiceCertName(sa), scopes: map[*scopeNode]struct{}{}}
		s.identities[sa] = n
		s.issue(n)
	}
	return n
}

// rebuildScope builds a scope from the catalog and hands its differences to its streams. A scope that left meanwhile is left
// alone.
func (s *Store) rebuildScope(n *scopeNode) {
	if s.scopes[n.key] != n {
		return
	}
	withheld := s.quarantine.withheld(n.key)
	began := s.config.Now()
	view := s.catalog.ViewWithout(withheld)
	var shared *scope.Destinations
	if len(withheld) == 0 && scope.SharesCommon(view, n.key.Identity) {
		shared = s.common.share(n, s.catalog)
	} else {
		s.common.leave(n)
	}
	built := scope.BuildSharing(view, s.config.TrustDomain, n.key, shared)
	s.readsOfScopes.set(n, view.Deps())
	if n.built != nil {
		scope.CarryDrainMarks(n.built, built)
	}
	separate := s.common.separate
	if shared == nil {
		separate = separable(built.Outbound)
	}
	step, same := transition{after: built, is: shared}, false
	if separate && n.separate {
		step, same = s.transition(n, built, shared), unchanged(n.built, built)
	}
	s.count(1, 0)
	began = s.spend(StageScope, began)
	if !same {
		s.edit(n, s.translate(n, step))
	}
	s.spend(StageEnvoy, began)
	n.built, n.separate, n.shared = built, separate, shared
}

// edit makes edits at a scope, marks them at its streams, and releases the endpoints that left.
func (s *Store) edit(n *scopeNode, e edits) {
	var left []*endpointsNode
	for name, after := range e.endpoints {
		if before := n.endpoints[name]; before != nil && before != after {
			left = append(left, before)
		}
	}
	n.mu.Lock()
	diff := n.apply(e)
	s.count(0, diff.size())
	if !diff.empty() {
		s.spread(n, &diff)
	}
	n.mu.Unlock()
	for _, before := range left {
		s.releaseEndpoints(before, n)
	}
}

// spread marks differences at the streams of a scope. The caller holds the scope's lock, so that no stream sees a resource
// without the mark of what it depends on.
func (s *Store) spread(n *scopeNode, diff *changes) {
	now := s.config.Now()
	for stream := range n.streams {
		stream.mark(diff, now, s.tracing)
	}
}

// tell is spread for what changed beside the scope itself.
func (s *Store) tell(n *scopeNode, diff *changes) {
	n.mu.Lock()
	s.spread(n, diff)
	n.mu.Unlock()
}

// endpointsFor is the node of a cluster's endpoints, built now if nobody uses it yet.
func (s *Store) endpointsFor(c scope.Cluster) *endpointsNode {
	if e, ok := s.endpoints[c.Endpoints]; ok {
		return e
	}
	e := &endpointsNode{key: c.Endpoints, cluster: c.Name(), scopes: map[*scopeNode]struct{}{}}
	s.endpoints[c.Endpoints] = e
	s.rebuildEndpoints(e)
	return e
}

// rebuildEndpoints builds a set of endpoints and, if it differs, marks it at the streams that use it.
func (s *Store) rebuildEndpoints(e *endpointsNode) {
	if s.endpoints[e.key] != e {
		return
	}
	began := s.config.Now()
	view := s.catalog.View()
	built := scope.BuildEndpoints(view, e.key)
	s.readsOfEndpoints.set(e, view.Deps())
	began = s.spend(StageScope, began)
	defer func() { s.spend(StageEnvoy, began) }()
	c, err := newContent(envoy.Endpoints(e.cluster, built))
	if err != nil {
		s.config.Log.Error(err, "endpoints are not updated", "cluster", e.cluster)
		return
	}
	if old := e.current.Load(); old != nil && old.hash == c.hash {
		return
	}
	e.current.Store(s.interner.intern(c))
	s.count(0, 1)
	diff := changes{Endpoints: {e.cluster}}
	for n := range e.scopes {
		s.tell(n, &diff)
	}
}

// releaseEndpoints drops a set of endpoints when the last scope that used it has left.
func (s *Store) releaseEndpoints(e *endpointsNode, n *scopeNode) {
	delete(e.scopes, n)
	if len(e.scopes) == 0 && s.endpoints[e.key] == e {
		delete(s.endpoints, e.key)
		s.readsOfEndpoints.remove(e)
	}
}

// releaseScope drops a scope when its last stream has left.
func (s *Store) releaseScope(n *scopeNode) {
	if len(n.streams) > 0 {
		return
	}
	delete(s.scopes, n.key)
	s.quarantine.left(n.key)
	s.readsOfScopes.remove(n)
	s.common.leave(n)
	for _, e := range n.endpoints {
		s.releaseEndpoints(e, n)
	}
	delete(n.identity.scopes, n)
	if len(n.identity.scopes) == 0 {
		delete(s.identities, n.identity.account)
	}
}
