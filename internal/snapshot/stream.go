package snapshot

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
)

// maxMarks is how many changes a stream remembers one by one while it is busy; with more it looks at everything once.
const maxMarks = 32

// Stream is the connection of one sidecar. Serve runs its state machine on the caller's goroutine.
type Stream struct {
	store  *Store
	peer   Peer
	since  time.Time
	status status

	// wake has an element when there is something new in what mu guards.
	wake chan struct{}
	// ended is closed when the Store ends the stream.
	ended   chan struct{}
	endOnce sync.Once
	cause   error
	// blocked is when the write in progress began, in nanoseconds since 1970; 0 without one.
	blocked atomic.Int64
	// abort cuts the connection under a write in progress.
	abort func()

	// mu guards the handover from the Store's goroutine to the stream's. It is taken after a scope's lock.
	mu    sync.Mutex
	scope *scopeNode
	marks []mark
	// all is set when marks are no longer enough: everything may have changed.
	all time.Time
	// behind is since when the sidecar has not acknowledged something; zero when it has acknowledged everything.
	behind time.Time
	// following are changes that the sidecar has not answered, the oldest first.
	following []followed
	// told is the number of the last change that the stream was told of; the Store's alone.
	told uint64
}

// mark is a set of changes, shared by all streams it concerns.
type mark struct {
	diff *changes
	at   time.Time
}

func newStream(s *Store, peer Peer, abort func(), n *scopeNode) *Stream {
	now := s.config.Now()
	return &Stream{
		store: s, peer: peer, abort: abort, scope: n, since: now, behind: now,
		wake: make(chan struct{}, 1), ended: make(chan struct{}),
	}
}

// end makes Serve return, even from a write that the sidecar does not take.
func (s *Stream) end(cause error) {
	s.endOnce.Do(func() {
		s.cause = cause
		close(s.ended)
		if s.blocked.Load() != 0 {
			s.abort()
		}
	})
}

// Close tells the Store that the sidecar has left. Call it once, after Serve.
func (s *Stream) Close() {
	s.store.post(func() { s.store.leave(s) })
}

// mark notes changes of the stream's scope. It never blocks on the sidecar. The trace may be nil.
func (s *Stream) mark(diff *changes, now time.Time, t *trace) {
	s.mu.Lock()
	if len(s.marks) < maxMarks {
		s.marks = append(s.marks, mark{diff, now})
	} else {
		s.markAll(now)
	}
	s.fallBehind(now)
	s.follow(t, now)
	s.mu.Unlock()
	s.notify()
}

// markAll notes that everything may have changed. The caller holds mu.
func (s *Stream) markAll(now time.Time) {
	if s.all.IsZero() {
		s.all = now
		if len(s.marks) > 0 {
			s.all = s.marks[0].at
		}
	}
	s.marks = nil
}

// move gives the stream another scope; the sidecar is sent the differences.
func (s *Stream) move(n *scopeNode, now time.Time, t *trace) {
	s.mu.Lock()
	s.scope = n
	s.markAll(now)
	s.fallBehind(now)
	s.follow(t, now)
	s.mu.Unlock()
	s.notify()
}

func (s *Stream) notify() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Serve answers requests until the stream ends: by ctx, by the Store, by the expiry of the sidecar's token, or by an error of
// send. An *Invalid error means that the sidecar sent something that no Envoy sends.
func (s *Stream) Serve(ctx context.Context, requests <-chan *discovery.DeltaDiscoveryRequest, send func(*Response) error) error {
	q := newSequencer()
	q.unready = s.store.unready
	return s.serve(ctx, q, requests, send)
}

// ServeWhole is Serve for a client that must be sent the whole state of a type at once: responses are not divided, and names
// that do not exist are not answered.
func (s *Stream) ServeWhole(ctx context.Context, requests <-chan *discovery.DeltaDiscoveryRequest, send func(*Response) error) error {
	q := newSequencer()
	q.whole = true
	return s.serve(ctx, q, requests, send)
}

func (s *Stream) serve(ctx context.Context, q *sequencer, requests <-chan *discovery.DeltaDiscoveryRequest, send func(*Response) error) error {
	timer := time.NewTimer(time.Hour)
	timer.Stop()
	defer timer.Stop()
	expiry := time.NewTimer(s.peer.Expiry.Sub(s.store.config.Now()))
	defer expiry.Stop()
	for {
		deadline, err := s.flush(q, send)
		if err != nil {
			return err
		}
		if !deadline.IsZero() {
			timer.Reset(max(deadline.Sub(s.store.config.Now()), time.Millisecond))
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-s.ended:
			return s.cause
		case <-expiry.C:
			return ErrExpired
		case req, open := <-requests:
			if !open {
				return nil
			}
			err = s.take(q, req)
		case <-s.wake:
		case <-timer.C:
		}
		if err != nil {
			return err
		}
	}
}

// flush sends everything that may be sent now, and returns when there may be more without any further input.
func (s *Stream) flush(q *sequencer, send func(*Response) error) (time.Time, error) {
	for {
		var r *Response
		var deadline time.Time
		s.look(q, func(n *scopeNode, now time.Time) {
			if r = q.next(n, now); r == nil {
				deadline = q.deadline()
			}
		})
		if r == nil {
			s.noteProgress(q)
			return deadline, nil
		}
		err := s.write(r, send)
		s.store.metrics.sent(r.Type, err)
		if err != nil {
			return time.Time{}, err
		}
		s.status.sent(r)
		s.wrote()
	}
}

// write sends a response, unless the Store has ended the stream. Between the two looks at each other's mark, either this
// sees the end or the end sees this.
func (s *Stream) write(r *Response, send func(*Response) error) error {
	s.blocked.Store(s.store.config.Now().UnixNano())
	defer s.blocked.Store(0)
	select {
	case <-s.ended:
		return s.cause
	default:
	}
	err := send(r)
	select {
	case <-s.ended:
		return s.cause
	default:
		return err
	}
}

// take hands a request to the state machine.
func (s *Stream) take(q *sequencer, req *discovery.DeltaDiscoveryRequest) error {
	var verdict Verdict
	var err error
	s.look(q, func(n *scopeNode, now time.Time) {
		verdict, err = q.request(req, n, now)
		if err == nil {
			s.store.metrics.requested(verdict, foreignSecrets(req, n))
		}
	})
	if err != nil {
		return &Invalid{err}
	}
	if verdict.Type == Secrets {
		s.status.claims(q.certificate)
	}
	if verdict.Answers {
		s.status.answered(verdict, s.store.config.Now())
		if verdict.Rejection != "" {
			s.refused()
			s.store.config.Log.Info("a sidecar rejected its configuration",
				"pod", s.peer.Pod.String(), "type", verdict.Type.String(), "reason", verdict.Rejection)
		}
		if refusal := verdict.Refused; refusal != nil {
			s.store.post(func() { s.store.refused(s, *refusal) })
		}
	}
	return nil
}

// look runs f while the scope does not change, after handing over the marks: a state machine that sees a new listener has
// always been told of the cluster that came with it.
func (s *Stream) look(q *sequencer, f func(n *scopeNode, now time.Time)) {
	now := s.store.config.Now()
	for {
		s.mu.Lock()
		n := s.scope
		s.mu.Unlock()
		n.mu.RLock()
		if s.handOver(q, n, now) {
			f(n, now)
			n.mu.RUnlock()
			return
		}
		n.mu.RUnlock()
	}
}

// handOver passes the marks to the state machine, unless the stream has moved to another scope. The caller holds the scope's
// read lock.
func (s *Stream) handOver(q *sequencer, n *scopeNode, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.scope != n {
		return false
	}
	if !s.all.IsZero() {
		q.markAll(n, s.all)
	}
	for _, m := range s.marks {
		for t := range numTypes {
			q.mark(t, m.diff[t], m.at)
		}
	}
	clear(s.marks)
	s.marks, s.all = s.marks[:0], time.Time{}
	s.took()
	return true
}

// foreignSecrets counts the names of other workloads' certificates that a request asks for.
func foreignSecrets(req *discovery.DeltaDiscoveryRequest, n *scopeNode) int {
	if req.GetTypeUrl() != Secrets.URL() {
		return 0
	}
	count := 0
	for _, name := range req.GetResourceNamesSubscribe() {
		if isServiceCertificate(name) && name != n.identity.secret {
			count++
		}
	}
	return count
}
