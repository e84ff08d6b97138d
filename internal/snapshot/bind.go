package snapshot

import (
	"github.com/openservicemesh/osm-operator/internal/catalog"
	"github.com/openservicemesh/osm-operator/internal/scope"
)

// bind makes the stream of a live pod. An older stream of the pod ends: its sidecar has restarted or changed replicas.
func (s *Store) bind(j *join, view *catalog.View, pod *catalog.Pod) *Stream {
	peer := j.peer
	n := s.scopeFor(scope.KeyFor(view, pod))
	stream := newStream(s, peer, j.abort, n)
	n.streams[stream] = struct{}{}
	old := s.streams[peer.PodUID]
	s.streams[peer.PodUID] = stream
	if old != nil { // after the new one is in, so that a scope that both have stays
		s.drop(old, ErrSuperseded)
	}
	s.readsOfStreams.set(stream, view.Deps())
	s.registry.add(stream)
	return stream
}

// rebind looks at the pod of a stream again: it may be gone, or belong to another scope now.
func (s *Store) rebind(stream *Stream) {
	if s.streams[stream.peer.PodUID] != stream {
		return
	}
	view := s.catalog.View()
	pod := view.Pod(stream.peer.Pod)
	if pod == nil || pod.UID != stream.peer.PodUID || pod.Finished || !pod.Injected || !view.InMesh(stream.peer.Pod.Namespace) {
		s.drop(stream, ErrGone)
		return
	}
	key := scope.KeyFor(view, pod)
	s.readsOfStreams.set(stream, view.Deps())
	old := stream.scope
	if key == old.key {
		return
	}
	n := s.scopeFor(key)
	delete(old.streams, stream)
	n.streams[stream] = struct{}{}
	stream.move(n, s.config.Now(), s.tracing)
	s.releaseScope(old)
}

// drop ends a stream.
func (s *Store) drop(stream *Stream, cause error) {
	stream.end(cause)
	s.leave(stream)
}

// leave forgets a stream. Leaving twice is leaving once.
func (s *Store) leave(stream *Stream) {
	n := stream.scope
	if _, in := n.streams[stream]; !in {
		return
	}
	delete(n.streams, stream)
	s.releaseScope(n)
	s.readsOfStreams.remove(stream)
	if s.streams[stream.peer.PodUID] == stream {
		delete(s.streams, stream.peer.PodUID)
	}
	s.registry.remove(stream)
	stream.abandon()
}

// dropStuck ends the streams of sidecars that do not read: each holds a response in memory that nobody wants.
func (s *Store) dropStuck() {
	limit := s.config.Now().Add(-writeLimit).UnixNano()
	for _, stream := range s.streams {
		if began := stream.blocked.Load(); began != 0 && began < limit {
			s.drop(stream, ErrStuck)
		}
	}
}
