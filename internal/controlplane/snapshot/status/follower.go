package status

import (
	"sync/atomic"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
)

// maxFollowed is how many unanswered batches one stream follows.
const maxFollowed = 32

// Follower records the unanswered batches of one stream, oldest first. The stream's lock guards it.
type Follower struct {
	followed []followedBatch
	// lastNumber is the number of the last batch that the stream was notified of.
	lastNumber uint64
}

// followedBatch is a batch that the stream has not answered. Times count from the start of the trace.
type followedBatch struct {
	trace *BatchTrace
	// firstNotified and lastNotified are when the stream was notified, and sent is when it last wrote a response since; 0 before.
	firstNotified, lastNotified, sent time.Duration
	// taken is true once the state machine has the changes, so that responses may contain them.
	taken, rejected bool
}

// Notified records that the stream was notified of a batch. It does nothing if t is nil. Only the Store's goroutine calls it.
func (f *Follower) Notified(t *BatchTrace, now time.Time) {
	if t == nil {
		return
	}
	if f.lastNumber != t.number {
		f.lastNumber = t.number
		t.streams++
	}
	at := max(now.Sub(t.startedAt), 1)
	if n := len(f.followed); n > 0 && f.followed[n-1].trace == t {
		b := &f.followed[n-1]
		b.lastNotified, b.sent, b.taken = at, 0, false
		return
	}
	if len(f.followed) >= maxFollowed {
		t.skipped.Add(1)
		return
	}
	t.open.Add(1)
	f.followed = append(f.followed, followedBatch{trace: t, firstNotified: at, lastNotified: at})
}

// MarkSynced records that the state machine has received all changes so far.
func (f *Follower) MarkSynced() {
	for i := range f.followed {
		f.followed[i].taken = true
	}
}

// IsEmpty reports whether all batches are answered.
func (f *Follower) IsEmpty() bool { return len(f.followed) == 0 }

// Sent records that a response was written.
func (f *Follower) Sent(now time.Time) {
	for i := range f.followed {
		if b := &f.followed[i]; b.taken && b.sent == 0 {
			b.sent = max(now.Sub(b.trace.startedAt), 1)
			storeMax(&b.trace.push, b.sent-b.firstNotified)
		}
	}
}

// Rejected records a NACK of a response that was written since the notification.
func (f *Follower) Rejected() {
	for i := range f.followed {
		b := &f.followed[i]
		b.rejected = b.rejected || b.sent != 0
	}
}

// Answered releases the batches that the proxy has answered. Pending is the time of the oldest change without an answer; zero if
// there is none.
func (f *Follower) Answered(pending, now time.Time) {
	open := f.followed[:0]
	for _, b := range f.followed {
		if !b.taken || (!pending.IsZero() && !pending.After(b.trace.startedAt.Add(b.lastNotified))) {
			open = append(open, b)
			continue
		}
		if b.sent != 0 {
			storeMax(&b.trace.acknowledge, now.Sub(b.trace.startedAt)-b.sent)
		}
		if b.rejected {
			b.trace.rejected.Add(1)
		}
		b.trace.release(now)
	}
	clear(f.followed[len(open):])
	f.followed = open
}

// Close releases all batches of a stream that has ended.
func (f *Follower) Close(now time.Time) {
	for _, b := range f.followed {
		b.trace.disconnected.Add(1)
		b.trace.release(now)
	}
	f.followed = nil
}

// PendingPods collects the pods that have not answered, for each incomplete trace.
type PendingPods map[*BatchTrace][]entity.Name

// Add adds a pod to the traces that its stream has not answered.
func (p PendingPods) Add(pod entity.Name, f *Follower) {
	for _, b := range f.followed {
		if list, open := p[b.trace]; open {
			p[b.trace] = append(list, pod)
		}
	}
}

// BatchTrace records the processing of one batch of changes. The Store's goroutine fills it until Tracer.Finish. Afterwards only
// the atomic fields change, by the streams that were notified.
type BatchTrace struct {
	metrics  *traceMetrics
	exporter Exporter
	number   uint64
	// startedAt is when the watch delivered the first object of the batch.
	startedAt time.Time
	objects   []TracedObject
	total     int
	stages    [numStages]time.Duration
	// scopes, resources and streams count the rebuilt scopes, the changed resources and the notified streams.
	scopes, resources, streams int

	// open counts the streams that have not answered, plus one until Finish.
	open                            atomic.Int64
	rejected, disconnected, skipped atomic.Int64
	// push and acknowledge are the longest times of any stream, and duration is the total time; all in nanoseconds.
	push, acknowledge, duration atomic.Int64
}

// AddStage adds the time since began to a stage. It does nothing if t is nil.
func (t *BatchTrace) AddStage(stage Stage, began, now time.Time) {
	if t != nil {
		t.stages[stage] += now.Sub(began)
	}
}

// AddScopes counts rebuilt scopes. It does nothing if t is nil.
func (t *BatchTrace) AddScopes(n int) {
	if t != nil {
		t.scopes += n
	}
}

// AddResources counts changed resources. It does nothing if t is nil.
func (t *BatchTrace) AddResources(n int) {
	if t != nil {
		t.resources += n
	}
}

// release is called once by the Store and once for each notified stream, when it has answered or ended. The last call sets the
// duration.
func (t *BatchTrace) release(now time.Time) {
	if t.open.Add(-1) > 0 {
		return
	}
	duration := max(now.Sub(t.startedAt), 1)
	t.duration.Store(int64(duration))
	t.metrics.observe(t, duration)
	if t.streams > 0 && t.exporter != nil && t.exporter.Enabled() {
		t.exporter.Export(t.report(nil))
	}
}

// storeMax sets longest to d if d is longer.
func storeMax(longest *atomic.Int64, d time.Duration) {
	for {
		current := longest.Load()
		if int64(d) <= current || longest.CompareAndSwap(current, int64(d)) {
			return
		}
	}
}

// stage returns the time spent in a stage; ok is false if the batch did not reach it.
func (t *BatchTrace) stage(stage Stage) (spent time.Duration, ok bool) {
	switch {
	case stage < StagePush:
		return t.stages[stage], true
	case stage == StagePush:
		return time.Duration(t.push.Load()), t.streams > 0
	default:
		return time.Duration(t.acknowledge.Load()), t.streams > 0
	}
}
