package status

import (
	"sync/atomic"
	"time"
)

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

// HasStreams reports whether a stream was notified.
func (t *BatchTrace) HasStreams() bool { return t.streams > 0 }

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
