package snapshot

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/openservicemesh/osm-operator/internal/catalog"
	"github.com/openservicemesh/osm-operator/internal/identity"
)

// Peer is who connects, as its verified token says.
type Peer struct {
	Pod               catalog.Name
	PodUID            string
	ServiceAccount    identity.ServiceAccount
	ServiceAccountUID string
	// Expiry is when the token expires; the stream ends then at the latest.
	Expiry time.Time
}

// Why a sidecar is not served, or no longer.
var (
	// ErrUnknown: the token's pod or service account is not live in the mesh.
	ErrUnknown = errors.New("the token does not belong to a live pod of the mesh")
	// ErrNoSidecar: the pod is live and has no sidecar of this mesh, so nobody in it may ask for its configuration.
	ErrNoSidecar = errors.New("the pod carries no sidecar of this mesh")
	// ErrNotSynced: the control plane has just started and does not know the whole mesh yet.
	ErrNotSynced = errors.New("the control plane has not yet read the whole mesh; try again")
	// ErrFull: the limit of connected sidecars is reached.
	ErrFull = errors.New("this replica of the control plane serves as many sidecars as maxDataPlaneConnections allows")
	// ErrSuperseded: the same pod has connected again.
	ErrSuperseded = errors.New("the pod has opened a newer stream")
	// ErrGone: the pod was deleted, has finished or has left the mesh.
	ErrGone = errors.New("the pod is no longer in the mesh")
	// ErrExpired: the token has expired.
	ErrExpired = errors.New("the service account token has expired; connect again with a fresh one")
	// ErrStuck: the sidecar has not read for a minute.
	ErrStuck = errors.New("the sidecar does not read what it is sent")
	// ErrStopped: the control plane is shutting down.
	ErrStopped = errors.New("the control plane is stopping")
)

// Invalid is an error about a request that no Envoy sends.
type Invalid struct{ error }

// Unwrap is the reason.
func (e *Invalid) Unwrap() error { return e.error }

// joinPatience is how long a sidecar whose pod is unknown waits: its token may be newer than what the watch has brought.
const joinPatience = 2 * time.Second

// syncPatience is how long a sidecar waits for a control plane that has just started.
const syncPatience = 10 * time.Second

// join is a sidecar that waits to be bound to its pod.
type join struct {
	peer   Peer
	abort  func()
	reason error
	result chan joined
}

type joined struct {
	stream *Stream
	err    error
}

// Connect binds a sidecar to its live pod and returns its stream, which the caller serves and closes. It waits for a pod that
// is not known yet, and for a Store that is not synced yet. Errors are those above, or ctx's. The Store calls abort, at most
// once, to cut a connection whose other end does not read.
func (s *Store) Connect(ctx context.Context, peer Peer, abort func()) (*Stream, error) {
	j := &join{peer: peer, abort: abort, result: make(chan joined, 1)}
	if !s.post(func() { s.enter(j) }) {
		return nil, ErrStopped
	}
	patience := joinPatience
	if !s.synced.Load() {
		patience = syncPatience
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case r := <-j.result:
		return r.stream, r.err
	case <-timer.C:
	case <-ctx.Done():
	}
	s.post(func() { s.refuse(j, j.reason) })
	r := <-j.result
	if ctx.Err() != nil && r.stream != nil {
		r.stream.Close()
		return nil, ctx.Err()
	}
	return r.stream, r.err
}

// enter puts a sidecar among those who wait and looks at it at once.
func (s *Store) enter(j *join) {
	s.joining[j] = struct{}{}
	s.tryJoin(j)
}

// admit looks at everyone who waits.
func (s *Store) admit() {
	for j := range s.joining {
		s.tryJoin(j)
	}
}

// refuse ends the wait of a sidecar, if it still waits.
func (s *Store) refuse(j *join, err error) {
	if _, waiting := s.joining[j]; !waiting {
		return
	}
	delete(s.joining, j)
	j.result <- joined{err: err}
}

// tryJoin binds a sidecar to its pod if it can, and refuses it if it never will be.
func (s *Store) tryJoin(j *join) {
	if !s.synced.Load() {
		j.reason = ErrNotSynced
		return
	}
	view := s.catalog.View()
	pod, err := s.livePod(view, j.peer)
	if errors.Is(err, ErrUnknown) {
		j.reason = err
		return
	}
	if err == nil {
		err = s.room(j.peer)
	}
	if err != nil {
		s.refuse(j, err)
		return
	}
	delete(s.joining, j)
	j.result <- joined{stream: s.bind(j, view, pod)}
}

// livePod is the pod that a token belongs to. Every claim of the token must match what is live.
func (s *Store) livePod(view *catalog.View, peer Peer) (*catalog.Pod, error) {
	pod := view.Pod(peer.Pod)
	switch {
	case pod == nil || pod.Finished:
		return nil, fmt.Errorf("%w: pod %s is not running", ErrUnknown, peer.Pod)
	case pod.UID != peer.PodUID:
		return nil, fmt.Errorf("%w: pod %s has another UID", ErrUnknown, peer.Pod)
	case pod.Identity() != peer.ServiceAccount:
		return nil, fmt.Errorf("%w: pod %s runs as another service account", ErrUnknown, peer.Pod)
	case view.ServiceAccountUID(peer.ServiceAccount) != peer.ServiceAccountUID || peer.ServiceAccountUID == "":
		return nil, fmt.Errorf("%w: service account %s has another UID", ErrUnknown, peer.ServiceAccount)
	case !view.InMesh(peer.Pod.Namespace) || !pod.Injected:
		return nil, ErrNoSidecar
	}
	return pod, nil
}

// room enforces the limit of connections. A pod that connects again takes its own place.
func (s *Store) room(peer Peer) error {
	limit := int(s.limit.Load())
	if limit == 0 || len(s.streams) < limit || s.streams[peer.PodUID] != nil {
		return nil
	}
	s.metrics.full.Inc()
	return ErrFull
}
