package snapshot

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
	"github.com/openservicemesh/osm-operator/internal/mesh/takeover/osmproxy"
)

// Peer is the authenticated client of a stream: the claims of its verified token, or of its client certificate.
type Peer struct {
	Pod               entity.Name
	InstanceID        entity.InstanceID
	ServiceAccount    identity.ServiceAccount
	ServiceAccountUID string
	// Address is where the connection comes from; the zero address if it is not known.
	Address netip.Addr
	// OSMProxy is what the certificate of a sidecar of Open Service Mesh says; nil for a client with a token. Such a peer has neither an InstanceID nor a
	// ServiceAccountUID before it is connected.
	OSMProxy *osmproxy.Identity
	// Expiry is when the token expires, or when sidecars of Open Service Mesh are not served any more. The stream ends at that time, unless Extend
	// returns a later one.
	Expiry time.Time
	// Extend returns until when an expired token may be used, the zero time if it may not. nil extends nothing.
	Extend func(context.Context) time.Time
}

// Reasons why a stream is rejected or ends. Also see delta.ErrExpired.
var (
	// ErrUnknown means that the token's pod or service account does not exist in the mesh.
	ErrUnknown = errors.New("the token does not belong to a live pod of the mesh")
	// ErrNoSidecar means that the pod has no sidecar of this mesh. Its other containers get no configuration.
	ErrNoSidecar = errors.New("the pod has no sidecar of this mesh")
	// ErrAddressMismatch means that the connection comes from another pod than the token, or may do so.
	ErrAddressMismatch = errors.New("the token is used from an address that is not that of its pod")
	// ErrNotSynced means that the initial sync is not complete.
	ErrNotSynced = errors.New("the control plane has not yet read the whole mesh; try again")
	// ErrFull means that the limit of connected proxies is reached.
	ErrFull = errors.New("this replica of the control plane has reached maxDataPlaneConnections")
	// ErrSuperseded means that the same pod has opened a newer stream: one of the same epoch, or as many of others as are served.
	ErrSuperseded = errors.New("the pod has opened a newer stream")
	// ErrGone means that the pod or its service account was deleted, or that the pod has finished or has left the mesh.
	ErrGone = errors.New("the pod or its service account is no longer in the mesh")
	// ErrBlocked means that a write has exceeded its timeout.
	ErrBlocked = errors.New("the sidecar does not read its responses")
	// ErrStopped means that the control plane is shutting down.
	ErrStopped = errors.New("the control plane is stopping")
)

const (
	// unknownPodTimeout is how long Connect waits for an unknown pod: the watch may be behind the token.
	unknownPodTimeout = 2 * time.Second
	// syncTimeout is how long Connect waits for the initial sync.
	syncTimeout = 10 * time.Second
	// secretsTimeout is how long after the initial sync gateways wait for their Secrets. One that cannot be read keeps no gateway out for ever.
	secretsTimeout = 2 * time.Minute
)

// pendingStream is a stream that is not bound to its pod yet.
type pendingStream struct {
	peer  Peer
	abort func()
	// reason is why it could not be bound so far. It is nil while the stream only waits until its scope is built.
	reason error
	// isLate is true after the longest wait for an unknown pod.
	isLate bool
	result chan connectResult
}

type connectResult struct {
	stream *Stream
	err    error
}

// Connect binds a stream to the live pod of its peer. The caller serves and closes the returned stream. Connect blocks while the pod is unknown, the Store is
// not synced, or scopes of others are built first. It returns one of the errors above, or the error of ctx. The Store calls abort at most once, to close a
// connection whose client does not read.
func (s *Store) Connect(ctx context.Context, peer Peer, abort func()) (*Stream, error) {
	p := &pendingStream{peer: peer, abort: abort, result: make(chan connectResult, 1)}
	if !s.run(func() { s.addPending(p) }) {
		return nil, ErrStopped
	}
	timeout := unknownPodTimeout
	if !s.synced.Load() {
		timeout = syncTimeout
	}
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	select {
	case r := <-p.result:
		return r.stream, r.err
	case <-timer.C:
		s.run(func() { s.late(p) })
	case <-ctx.Done():
	}
	select {
	case r := <-p.result:
		return r.stream, r.err
	case <-ctx.Done():
	}
	s.run(func() { s.reject(p, cmp.Or(p.reason, ctx.Err())) })
	r := <-p.result
	if r.stream != nil {
		r.stream.Close()
		return nil, ctx.Err()
	}
	return r.stream, r.err
}

func (s *Store) addPending(p *pendingStream) {
	s.pendingStreams[p] = struct{}{}
	s.tryBind(p, false)
}

// bindPending binds pending streams whose pods are known now.
func (s *Store) bindPending() {
	for p := range s.pendingStreams {
		s.tryBind(p, false)
	}
}

// reject ends the wait of a pending stream. It does nothing if the stream is bound already.
func (s *Store) reject(p *pendingStream, err error) {
	if _, pending := s.pendingStreams[p]; !pending {
		return
	}
	delete(s.pendingStreams, p)
	p.result <- connectResult{err: err}
}

// late rejects a stream after the longest wait, unless it only waits until its scope is built.
func (s *Store) late(p *pendingStream) {
	if p.isLate = true; p.reason != nil {
		s.reject(p, p.reason)
	}
}

// tryBind binds a stream to its pod, rejects it, or keeps it pending: while the pod may still appear, or until it is its turn to build a scope.
func (s *Store) tryBind(p *pendingStream, isItsTurn bool) {
	if !s.synced.Load() {
		p.reason = ErrNotSynced
		return
	}
	view := s.catalog.View()
	pod, err := s.livePod(view, &p.peer)
	if errors.Is(err, ErrUnknown) {
		p.reason = err
		return
	}
	if err == nil && s.awaitsSecrets(view, pod) {
		p.reason = fmt.Errorf("%w: Secrets of gateways are not read", ErrNotSynced)
		return
	}
	if err == nil {
		err = s.checkMaxConnections(p.peer)
	}
	if err != nil {
		s.reject(p, err)
		return
	}
	if key := scope.KeyFor(view, pod); s.scopes[key] == nil && !isItsTurn {
		p.reason = nil
		s.buildLater(p, key.Identity.Namespace, func() { s.bindInTurn(p) })
		return
	}
	delete(s.pendingStreams, p)
	p.result <- connectResult{stream: s.bind(p, view, pod)}
}

// bindInTurn builds the scope of a stream that still waits, and binds it.
func (s *Store) bindInTurn(p *pendingStream) {
	if _, pending := s.pendingStreams[p]; pending {
		s.tryBind(p, true)
		if p.isLate {
			s.late(p)
		}
	}
}

// awaitsSecrets reports whether a proxy must wait until its Secrets and ConfigMaps were read once. Without them a gateway would lose listeners that it
// has, and a sidecar would not send requests that it encrypts. A reference that is new later delays no proxy.
func (s *Store) awaitsSecrets(view *catalog.View, pod *inventory.Instance) bool {
	key := scope.KeyFor(view, pod)
	proxy := key.Proxy
	if proxy == scope.ProxySidecar {
		return s.config.Now().Sub(s.syncedAt) < secretsTimeout && scope.HasUnreadAuthorities(view, key)
	}
	if s.secretsRead[proxy] {
		return false
	}
	if s.config.Now().Sub(s.syncedAt) < secretsTimeout && scope.HasUnreadSecrets(view, proxy) {
		return true
	}
	s.secretsRead[proxy] = true
	return false
}

// livePod returns the pod of a peer. Every claim of the token must match the live objects.
func (s *Store) livePod(view *catalog.View, peer *Peer) (*inventory.Instance, error) {
	if peer.OSMProxy != nil {
		return s.livePodOfOSM(view, peer)
	}
	pod := view.Pod(peer.Pod)
	switch {
	case pod == nil || pod.Finished:
		return nil, fmt.Errorf("%w: pod %s is not running", ErrUnknown, peer.Pod)
	case pod.ID != peer.InstanceID:
		return nil, fmt.Errorf("%w: pod %s has another UID", ErrUnknown, peer.Pod)
	case pod.Identity() != peer.ServiceAccount:
		return nil, fmt.Errorf("%w: pod %s runs as another service account", ErrUnknown, peer.Pod)
	case view.ServiceAccountUID(peer.ServiceAccount) != peer.ServiceAccountUID || peer.ServiceAccountUID == "":
		return nil, fmt.Errorf("%w: service account %s has another UID", ErrUnknown, peer.ServiceAccount)
	case !view.IsServed(pod):
		return nil, ErrNoSidecar
	}
	if err := s.checkAddress(view, pod, peer); err != nil {
		return nil, err
	}
	return pod, nil
}

// checkAddress returns an error for a token from an address where its pod is not. Addresses that belong to no pod may be those of the pod: some clusters
// translate source addresses to those of nodes.
func (s *Store) checkAddress(view *catalog.View, pod *inventory.Instance, peer *Peer) error {
	switch onlyOwn := s.ownAddresses.Load(); {
	case onlyOwn && len(pod.IPs) == 0:
		return fmt.Errorf("%w: the addresses of pod %s are not known yet", ErrUnknown, peer.Pod)
	case onlyOwn && !slices.Contains(pod.IPs, peer.Address):
		return fmt.Errorf("%w: %s is none of the pod's, and spec.sidecar.sourceAddresses of the MeshConfig is Own", ErrAddressMismatch, peer.Address)
	case view.IsAddressOfAnother(pod, peer.Address):
		return ErrAddressMismatch
	}
	return nil
}

// checkMaxConnections counts pods, so that neither a reconnecting pod nor one whose Envoys change is rejected.
func (s *Store) checkMaxConnections(peer Peer) error {
	limit := int(s.maxConnections.Load())
	if limit == 0 || len(s.streams) < limit || s.streams[peer.InstanceID] != nil {
		return nil
	}
	s.metrics.full.Inc()
	return ErrFull
}

// waitingReader waits for the stream of a peer.
type waitingReader struct {
	peer   Peer
	epoch  *uint64
	stream chan *Stream
}

// AwaitStream waits until a pod has a stream of an epoch from the address of the peer, and returns the latest one. Without an epoch it is the latest of
// any epoch. The peer was authenticated with another token of the pod, or the same. The error is ErrNotConnected at the deadline of ctx, or that of ctx.
func (s *Store) AwaitStream(ctx context.Context, peer Peer, epoch *uint64) (*Stream, error) {
	reader := s.registry.wait(peer, epoch)
	defer s.registry.stopWaiting(reader)
	select {
	case stream := <-reader.stream:
		return stream, nil
	case <-ctx.Done():
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			return nil, ErrNotConnected
		}
		return nil, ctx.Err()
	}
}

// isSameClient reports whether two peers are the same pod at the same address.
func (p Peer) isSameClient(other Peer) bool {
	return p.InstanceID == other.InstanceID && p.ServiceAccount == other.ServiceAccount && p.Address == other.Address
}

// wait adds a reader, which receives a stream that exists already.
func (r *registry) wait(peer Peer, epoch *uint64) *waitingReader {
	r.mu.Lock()
	defer r.mu.Unlock()
	reader := &waitingReader{peer: peer, epoch: epoch, stream: make(chan *Stream, 1)}
	for _, stream := range slices.Backward(r.instances[peer.InstanceID]) {
		if r.streams[stream] && reader.accepts(stream) {
			reader.stream <- stream
			return reader
		}
	}
	if r.waiting == nil {
		r.waiting = map[entity.InstanceID][]*waitingReader{}
	}
	r.waiting[peer.InstanceID] = append(r.waiting[peer.InstanceID], reader)
	return reader
}

// accepts reports whether a stream is one that the reader waits for.
func (w *waitingReader) accepts(stream *Stream) bool {
	return stream.peer.isSameClient(w.peer) && (w.epoch == nil || stream.epoch == *w.epoch)
}

func (r *registry) stopWaiting(reader *waitingReader) {
	r.mu.Lock()
	defer r.mu.Unlock()
	removeFrom(r.waiting, reader.peer.InstanceID, func(other *waitingReader) bool { return other == reader })
}

// removeFrom removes the selected elements of the list of an instance.
func removeFrom[E any](lists map[entity.InstanceID][]E, id entity.InstanceID, remove func(E) bool) {
	if left := slices.DeleteFunc(lists[id], remove); len(left) > 0 {
		lists[id] = left
	} else {
		delete(lists, id)
	}
}

// resolve passes a new stream to the readers that wait for it. The caller holds mu.
func (r *registry) resolve(stream *Stream) {
	removeFrom(r.waiting, stream.peer.InstanceID, func(reader *waitingReader) bool {
		if !reader.accepts(stream) {
			return false
		}
		reader.stream <- stream
		return true
	})
}
