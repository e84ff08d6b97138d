package delta

import (
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"

	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/quarantine"
	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/status"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/resourcetype"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
)

// MaxPendingChanges is how many Changes a stream queues while its client is slow. With more it compares the whole snapshot once.
const MaxPendingChanges = 32

// Config is common to all streams. All fields are required.
type Config struct {
	Now     func() time.Time
	Log     logr.Logger
	Metrics *Metrics
}

// Owner receives what a stream finds out.
type Owner interface {
	// HandleNACK is called on the stream's goroutine when a rejected resource is found. It must not block.
	HandleNACK(r quarantine.RejectedResource)
	// HandleComplete is called on the stream's goroutine once the client has had its whole configuration. Earlier is true if it had it on an earlier stream.
	// It must not block.
	HandleComplete(earlier bool)
	// Abort cuts the connection. It is called at most once, while a write blocks.
	Abort()
}

// Stream hands changes over from the Store's goroutine to the Session of one client. Its methods are safe for concurrent use and
// never wait for the client.
type Stream struct {
	config      *Config
	owner       Owner
	pod         entity.Name
	connectedAt time.Time
	acks        status.Acknowledgements

	// woken is true from wakeUp until a run begins. run does what is due on a goroutine of its own; nil if the stream is not served.
	woken atomic.Bool
	run   atomic.Pointer[func()]
	// ended is closed when the Store ends the stream, after cause is set.
	ended   chan struct{}
	endOnce sync.Once
	cause   error
	// writeStarted is when the write in progress began, in Unix nanoseconds; 0 without one.
	writeStarted atomic.Int64

	// mu is locked after the snapshot's lock.
	mu       sync.Mutex
	snapshot SharedSnapshot
	pending  []pendingChanges
	// allSince is set when pending is not complete because everything may have changed.
	allSince time.Time
	// unacknowledgedSince is the time of the oldest change that the client has not answered; zero if there is none.
	unacknowledgedSince time.Time
	follower            status.Follower
	// destinations are the names of destinations that the client has; nil for none. Changes of others do not wake the stream.
	destinations map[string]struct{}
	// forgotten has names of other destinations that the client may be subscribed to; nil for none.
	forgotten *nameFilter
	// forgottenCount is how often a name was forgotten.
	forgottenCount int
	// loading are the names of destinations that the client is about to be sent though it has not asked for them; nil for none.
	loading map[string]struct{}
	// loadingAtStart returns names that are added to loading if the client turns out to be new; nil for none.
	loadingAtStart NamesFunc
	// awaitsHandover is true if the pod of the client may have another Envoy. handover is what is known about that and is not taken yet; nil for nothing.
	awaitsHandover bool
	handover       *Handover
}

// pendingChanges share their Changes with all affected streams.
type pendingChanges struct {
	changes *Changes
	at      time.Time
}

// Init initializes a Stream. It must be called before any other method.
func (s *Stream) Init(config *Config, owner Owner, pod entity.Name, snapshot SharedSnapshot) {
	s.config, s.owner, s.pod, s.snapshot = config, owner, pod, snapshot
	s.connectedAt = config.Now()
	s.unacknowledgedSince = s.connectedAt
	s.ended = make(chan struct{})
}

// ConnectedAt returns when the stream began.
func (s *Stream) ConnectedAt() time.Time { return s.connectedAt }

// Acknowledgements returns the record of responses and answers.
func (s *Stream) Acknowledgements() *status.Acknowledgements { return &s.acks }

// End makes Serve return cause, even if a write blocks. Only the first call has an effect.
func (s *Stream) End(cause error) {
	s.endOnce.Do(func() {
		s.cause = cause
		close(s.ended)
		if s.writeStarted.Load() != 0 {
			s.owner.Abort()
		}
		s.wakeUp()
	})
}

// Ended returns a channel that is closed by End.
func (s *Stream) Ended() <-chan struct{} { return s.ended }

// Cause returns the argument of End. It must be called after Ended is closed.
func (s *Stream) Cause() error { return s.cause }

// IsBlockedSince reports whether a write has been in progress since before t.
func (s *Stream) IsBlockedSince(t time.Time) bool {
	started := s.writeStarted.Load()
	return started != 0 && started < t.UnixNano()
}

// Notify queues changes of the snapshot. The trace may be nil.
func (s *Stream) Notify(changes *Changes, now time.Time, trace *status.BatchTrace) {
	s.mu.Lock()
	if !s.concerns(changes) {
		s.mu.Unlock()
		return
	}
	if len(s.pending) < MaxPendingChanges {
		s.pending = append(s.pending, pendingChanges{changes, now})
	} else {
		s.setAllSince(now)
	}
	s.recordNotified(now, trace)
	s.mu.Unlock()
	s.wakeUp()
}

// concerns reports whether the client may have a changed resource. It requires mu.
func (s *Stream) concerns(changes *Changes) bool {
	for _, names := range changes {
		for _, name := range names {
			if _, has := s.destinations[name]; has || !scope.IsOnDemandName(name) || s.forgotten.mayHave(name) {
				return true
			}
		}
	}
	return false
}

// addDestination records a destination that the client has. The caller holds the read lock of the snapshot, so no change is missed.
func (s *Stream) addDestination(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hasDestination(name)
}

// removeDestination records that the client does not have a destination any more.
func (s *Stream) removeDestination(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.destinations, name)
}

// forgetDestination records a destination that the client may be subscribed to, and that exists for it no more. The caller holds the read lock of the
// snapshot, so no change is missed.
func (s *Stream) forgetDestination(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.forgotten == nil {
		s.forgotten = newNameFilter()
	}
	s.forgotten.add(name)
	s.forgottenCount++
}

// loadForgotten causes forgotten destinations to be loaded that have changed. It requires mu.
func (s *Stream) loadForgotten(snapshot Snapshot) {
	if s.forgotten == nil {
		return
	}
	var changed []string
	if !s.allSince.IsZero() {
		changed = slices.Collect(snapshot.Destinations())
	}
	for _, p := range s.pending {
		changed = append(changed, p.changes[resourcetype.Clusters]...)
	}
	for _, name := range changed {
		if _, has := s.destinations[name]; !has && scope.IsOnDemandName(name) && s.forgotten.mayHave(name) {
			s.addLoading(name)
		}
	}
}

// addLoading requires mu.
func (s *Stream) addLoading(name string) {
	if s.loading == nil {
		s.loading = map[string]struct{}{}
	}
	s.loading[name] = struct{}{}
}

// hasDestination requires mu.
func (s *Stream) hasDestination(name string) {
	if s.destinations == nil {
		s.destinations = map[string]struct{}{}
	}
	s.destinations[name] = struct{}{}
}

// Load sends destinations that the client is likely to call before it asks for them. Those that do not exist in the snapshot are ignored.
func (s *Stream) Load(names []string) {
	if len(names) == 0 {
		return
	}
	s.mu.Lock()
	for _, name := range names {
		s.addLoading(name)
	}
	s.mu.Unlock()
	s.wakeUp()
}

// NamesFunc returns names of destinations of which exists is true. It must not block.
type NamesFunc func(exists func(name string) bool) []string

// LoadAtStart is Load for a client without configuration from an earlier stream. It must be called before the first request is processed, and calls names on
// the stream's goroutine if the client is such.
func (s *Stream) LoadAtStart(names NamesFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.loadingAtStart = names
}

// loadIfNew decides about loadingAtStart as soon as it is known whether the client is new. It requires mu.
func (s *Stream) loadIfNew(q *sequencer, snapshot Snapshot) {
	if s.loadingAtStart == nil || !q.types[resourcetype.Clusters].requested {
		return
	}
	if !q.resumed {
		for _, name := range s.loadingAtStart(snapshot.HasEndpoints) {
			s.addLoading(name)
		}
	}
	s.loadingAtStart = nil
}

// AwaitHandover causes listeners to wait until it is known whether another Envoy takes over from the client.
func (s *Stream) AwaitHandover() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.awaitsHandover = true
}

// SetHandover records what is known about another Envoy that takes over from the client.
func (s *Stream) SetHandover(handover Handover) {
	s.mu.Lock()
	if handover != (Handover{}) || s.awaitsHandover {
		s.handover = &handover
	}
	s.mu.Unlock()
	s.wakeUp()
}

// Destinations returns the names of destinations that the client has, in any order.
func (s *Stream) Destinations() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Collect(maps.Keys(s.destinations))
}

// Forgotten returns how many names of destinations were forgotten, see forgetDestination.
func (s *Stream) Forgotten() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.forgottenCount
}

// Move replaces the snapshot. The client is sent the differences. The trace may be nil.
func (s *Stream) Move(snapshot SharedSnapshot, now time.Time, trace *status.BatchTrace) {
	s.mu.Lock()
	s.snapshot = snapshot
	s.setAllSince(now)
	s.recordNotified(now, trace)
	s.mu.Unlock()
	s.wakeUp()
}

// setAllSince requires mu.
func (s *Stream) setAllSince(now time.Time) {
	if s.allSince.IsZero() {
		s.allSince = now
		if len(s.pending) > 0 {
			s.allSince = s.pending[0].at
		}
	}
	s.pending = nil
}

// recordNotified requires mu.
func (s *Stream) recordNotified(now time.Time, trace *status.BatchTrace) {
	if s.unacknowledgedSince.IsZero() {
		s.unacknowledgedSince = now
	}
	s.follower.Notified(trace, now)
}

// wakeUp starts a run, unless one is about to begin, which then includes what is new.
func (s *Stream) wakeUp() {
	if !s.woken.CompareAndSwap(false, true) {
		return
	}
	if run := s.run.Load(); run != nil { // read after the exchange, so that beginRuns misses nothing
		go (*run)()
	}
}

// beginRuns sets what wakeUp runs; nil for nothing. The caller then does what is due already.
func (s *Stream) beginRuns(run *func()) {
	s.run.Store(run)
	s.woken.Store(false)
}

// PendingChanges returns the queued changes. With all, everything may have changed.
func (s *Stream) PendingChanges() (list []*Changes, all bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.pending {
		list = append(list, p.changes)
	}
	return list, !s.allSince.IsZero()
}

// HasAcknowledged reports whether the client has answered all changes until a time.
func (s *Stream) HasAcknowledged(until time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.unacknowledgedSince.IsZero() || s.unacknowledgedSince.After(until)
}

// AddPendingPod adds the pod to the traces that the client has not answered.
func (s *Stream) AddPendingPod(pending status.PendingPods) {
	s.mu.Lock()
	defer s.mu.Unlock()
	pending.Add(s.pod, &s.follower)
}

// CloseTraces releases the traces of a stream that has ended.
func (s *Stream) CloseTraces() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.follower.Close(s.config.Now())
}

// takePending moves the queued changes to the state machine. It returns false if the stream has moved to another snapshot. The
// caller holds the read lock of snapshot.
func (s *Stream) takePending(q *sequencer, snapshot SharedSnapshot) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.snapshot != snapshot {
		return false
	}
	if !s.allSince.IsZero() {
		q.markAllChanged(snapshot, s.allSince)
	}
	for _, p := range s.pending {
		for t := range resourcetype.NumTypes {
			q.markChanged(t, p.changes[t], p.at)
		}
	}
	if s.awaitsHandover {
		q.awaitHandover()
	}
	if s.handover != nil {
		q.setHandover(*s.handover, snapshot, s.config.Now())
		s.handover = nil
	}
	s.loadForgotten(snapshot)
	s.loadIfNew(q, snapshot)
	if len(s.loading) > 0 {
		for _, name := range q.load(s.loading, snapshot, s.config.Now()) {
			s.hasDestination(name)
		}
		s.loading = nil
	}
	clear(s.pending)
	s.pending, s.allSince = s.pending[:0], time.Time{}
	s.follower.MarkSynced()
	return true
}

// recordSent updates the traces after a write.
func (s *Stream) recordSent() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.follower.IsEmpty() {
		s.follower.Sent(s.config.Now())
	}
}

// recordRejected updates the traces after a NACK.
func (s *Stream) recordRejected() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.follower.Rejected()
}

// recordProgress publishes what is pending. It is called when there is nothing to send.
func (s *Stream) recordProgress(q *sequencer) {
	types := q.pendingSince(s.connectedAt)
	s.acks.SetPending(&types)
	if q.hadAll(&types) && !s.acks.IsComplete() {
		s.acks.SetComplete()
		s.owner.HandleComplete(q.readyBefore)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.unacknowledgedSince = s.allSince
	if len(s.pending) > 0 {
		s.unacknowledgedSince = earlier(s.unacknowledgedSince, s.pending[0].at)
	}
	for _, since := range types { // not in one slice: this runs for each response and answer and must not allocate
		s.unacknowledgedSince = earlier(s.unacknowledgedSince, since)
	}
	if !s.follower.IsEmpty() {
		s.follower.Answered(s.unacknowledgedSince, s.config.Now())
	}
}

// earlier returns the earlier of two times. A zero time does not count.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || (!b.IsZero() && b.Before(a)) {
		return b
	}
	return a
}
