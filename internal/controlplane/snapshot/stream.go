package snapshot

import (
	"context"
	"slices"
	"sync/atomic"

	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/delta"
	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/quarantine"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
)

// Stream is the stream of one connected proxy.
type Stream struct {
	store *Store
	peer  Peer
	abort func()
	// scope is set by the Store's goroutine alone.
	scope atomic.Pointer[scopeNode]
	// revision is the label of the pod. It is no part of the key of the scope: whoever may label a pod must not choose how many scopes there are.
	revision atomic.Pointer[string]
	delta    delta.Stream
	// epoch is what the Envoy claims; it is known once announced. Both are set by the Store's goroutine alone.
	epoch     uint64
	announced bool
	// completeEarlier is true if the Envoy had its whole configuration before this stream. handover is what the stream knows about its successor.
	completeEarlier bool
	handover        delta.Handover
	// reported is true once the proxy has reported its software. It belongs to the goroutine that receives.
	reported bool
	// removed is closed when the stream is not in the Store any more.
	removed chan struct{}
}

// Removed returns a channel that is closed when the stream has ended.
func (s *Stream) Removed() <-chan struct{} { return s.removed }

// Revision is the MeshRevision whose injector added the proxy; empty if unknown.
func (s *Stream) Revision() string { return *s.revision.Load() }

// Serve processes requests until the stream ends. The error is one of this package, delta.ErrExpired, delta.ErrUnanswered, a
// *delta.InvalidRequestError, or that of the client.
func (s *Stream) Serve(ctx context.Context, client delta.Client) error {
	options := s.options()
	options.ReadinessCluster, options.Extend = s.store.readinessCluster, s.peer.Extend
	return s.delta.NewSession(options).Serve(ctx, s.peer.Expiry, client)
}

// options remembers what the proxy asks for, for the next one of its identity.
func (s *Stream) options() delta.Options {
	record := func(name string, earlier bool) {
		if earlier {
			s.store.used.report(s.peer.ServiceAccount, name)
		} else {
			s.store.used.use(s.peer.ServiceAccount, name)
		}
	}
	return delta.Options{DrainingCluster: s.store.drainingCluster, UseDestination: record}
}

// ServeUndivided is Serve for a client that needs all changes of a type in one response. It does not use the readiness cluster,
// and NACKs do not quarantine policies.
func (s *Stream) ServeUndivided(ctx context.Context, client delta.Client) error {
	return s.delta.NewSession(delta.Options{Undivided: true, Extend: s.peer.Extend}).Serve(ctx, s.peer.Expiry, client)
}

// Close removes the stream from the Store. It must be called once, after Serve.
func (s *Stream) Close() {
	s.store.run(func() { s.store.remove(s) })
}

// HandleNACK implements delta.Owner.
func (s *Stream) HandleNACK(r quarantine.RejectedResource) {
	s.store.run(func() {
		n := s.scope.Load()
		if s.store.scopes[n.key] == n {
			s.store.quarantine.HandleNACK(n.key, r, s.proxy())
		}
	})
}

// HandleComplete implements delta.Owner.
func (s *Stream) HandleComplete(earlier bool) {
	s.store.run(func() {
		s.completeEarlier = earlier
		s.store.updateHandovers(s.peer.InstanceID)
	})
}

func (s *Stream) proxy() quarantine.Proxy { return quarantine.Proxy{Pod: s.peer.Pod, Epoch: s.epoch} }

// Abort implements delta.Owner.
func (s *Stream) Abort() { s.abort() }

// bind creates the stream of a live pod. Older streams of the pod end when its epoch is announced.
func (s *Store) bind(p *pendingStream, view *catalog.View, pod *inventory.Instance) *Stream {
	peer := p.peer
	n := s.scopeFor(scope.KeyFor(view, pod))
	stream := &Stream{store: s, peer: peer, abort: p.abort, removed: make(chan struct{})}
	stream.scope.Store(n)
	stream.revision.Store(&pod.Revision)
	stream.delta.Init(&s.streamConfig, stream, peer.Pod, n)
	stream.delta.LoadAtStart(func(exists func(string) bool) []string { return s.used.recent(peer.ServiceAccount, exists) })
	stream.delta.Load(n.built.EagerDestinations)
	s.loadUsedByPod(stream)
	n.streams[stream] = struct{}{}
	s.streams[peer.InstanceID] = append(s.streams[peer.InstanceID], stream)
	s.endUnannounced(stream) // after the new stream is added, so that a scope of both stays
	s.streamIndex.Set(stream, view.Deps())
	s.registry.add(stream)
	return stream
}

// rebind updates the scope of a stream after its pod or service account has changed, or ends the stream. Where the namespace has used much time for such
// changes, the stream keeps its scope until it is the turn of the namespace.
func (s *Store) rebind(stream *Stream) { s.rebindIf(stream, false) }

func (s *Store) rebindIf(stream *Stream, isItsTurn bool) {
	if !s.isConnected(stream) {
		return
	}
	view := s.catalog.View()
	pod := view.Pod(stream.peer.Pod)
	accountUID := view.ServiceAccountUID(stream.peer.ServiceAccount)
	if pod == nil || pod.ID != stream.peer.InstanceID || pod.Finished || !stream.peer.isServed(view, pod) || accountUID != stream.peer.ServiceAccountUID {
		s.end(stream, ErrGone)
		return
	}
	stream.revision.Store(&pod.Revision)
	key := scope.KeyFor(view, pod)
	s.streamIndex.Set(stream, view.Deps())
	old := stream.scope.Load()
	if key == old.key {
		return
	}
	namespace := key.Identity.Namespace
	if s.scopes[key] == nil && !isItsTurn && s.lane.shares.Used(namespace, s.config.Now()) >= leastMove {
		s.buildLater(stream, namespace, func() { s.rebindIf(stream, true) })
		return
	}
	var n *scopeNode
	s.charged(namespace, func() { n = s.scopeFor(key) })
	delete(old.streams, stream)
	n.streams[stream] = struct{}{}
	stream.scope.Store(n)
	stream.delta.Move(n, s.config.Now(), s.trace)
	if !slices.Equal(old.servers, n.servers) {
		s.serversChanged.send()
	}
	s.releaseScope(old)
}

// end ends and removes a stream.
func (s *Store) end(stream *Stream, cause error) {
	stream.delta.End(cause)
	s.remove(stream)
}

// remove removes a stream. It may be called again.
func (s *Store) remove(stream *Stream) {
	n := stream.scope.Load()
	if _, in := n.streams[stream]; !in {
		return
	}
	s.releaseStream(n, stream)
	close(stream.removed)
	s.streamIndex.Remove(stream)
	hasOthers := s.removeFromPod(stream)
	s.registry.remove(stream)
	stream.delta.CloseTraces()
	s.updateHandovers(stream.peer.InstanceID)
	if hasOthers { // the pod now answers with another Envoy
		s.quarantine.Reconsider(n.key)
	}
}

// endBlockedStreams ends the streams of proxies that do not read. Each has a response in memory.
func (s *Store) endBlockedStreams() {
	limit := s.config.Now().Add(-writeTimeout)
	for _, streams := range s.streams {
		for _, stream := range slices.Clone(streams) {
			if stream.delta.IsBlockedSince(limit) {
				s.end(stream, ErrBlocked)
			}
		}
	}
}
