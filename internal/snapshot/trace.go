package snapshot

import (
	"sync/atomic"
	"time"

	"github.com/openservicemesh/osm-operator/internal/catalog"
)

// Stage is a part of the way of a change from the watch to the acknowledgement of the last sidecar.
type Stage uint8

// The stages of a change, in order. The first five follow each other; pushing and acknowledging overlap, because each sidecar
// has its own, and count for the slowest.
const (
	// StageIngest: an object becomes an entry of the catalog. Of several objects the slowest counts.
	StageIngest Stage = iota
	// StageQueue: the entry waits for the Store.
	StageQueue
	// StageCatalog: the entry is put into the catalog, which says what it touches.
	StageCatalog
	// StageScope: what the concerned sidecars must know is found out.
	StageScope
	// StageEnvoy: resources are made of it, marshalled, hashed and compared.
	StageEnvoy
	// StagePush: from when a sidecar's stream is told until it has written its last response about it.
	StagePush
	// StageAcknowledge: from then until the sidecar has answered everything.
	StageAcknowledge
	numStages
)

var stageNames = [numStages]string{"ingest", "queue", "catalog", "scope", "envoy", "push", "acknowledge"}

// String is a word for metrics and reports.
func (s Stage) String() string { return stageNames[s] }

// Limits of traces.
const (
	// maxTraces is how many changes are remembered.
	maxTraces = 128
	// maxTracedObjects is how many objects of a change are named.
	maxTracedObjects = 8
	// maxTracedLooks is how many objects are looked at to find those that differ.
	maxTracedLooks = 64
	// maxFollowed is how many changes are followed at one stream that does not answer.
	maxFollowed = 32
)

// TracedObject is an object of a change.
type TracedObject struct {
	Ref catalog.Ref
	// Generation is that of catalog.Change: 0 when it is not known.
	Generation int64
	Removed    bool
}

// trace is what becomes of one batch of changes. The Store's goroutine fills it and hands it to the ring; afterwards only the
// atomic parts change, by the streams that were told of it.
type trace struct {
	number  uint64
	at      time.Time
	objects []TracedObject
	total   int
	stages  [numStages]time.Duration
	// scopes and resources are what was built again and what of it differs, and streams those that were told.
	scopes, resources, streams int

	// open counts the streams that have not answered, and the Store until it has told all of them.
	open                    atomic.Int64
	rejected, left, skipped atomic.Int64
	// push and acknowledge are the longest of any stream, and took is the time from at to the end; all in nanoseconds.
	push, acknowledge, took atomic.Int64
}

// begin starts to follow a batch.
func (s *Store) begin(b arrivals) *trace {
	now := s.config.Now()
	s.traced++
	t := &trace{number: s.traced, at: b.since, total: len(b.list)}
	t.open.Store(1)
	t.stages[StageIngest], t.stages[StageQueue] = b.ingest, max(now.Sub(b.since), 0)
	for i := range b.list {
		change := &b.list[i]
		if !change.Received.IsZero() && change.Received.Before(t.at) {
			t.at = change.Received
		}
		if i < maxTracedLooks && len(t.objects) < maxTracedObjects && s.catalog.Differs(*change) {
			t.objects = append(t.objects, TracedObject{change.Ref, change.Generation, change.Entry == nil})
		}
	}
	return t
}

// spend adds the time since began to a stage of the change that is being made, and returns what time it is.
func (s *Store) spend(stage Stage, began time.Time) time.Time {
	now := s.config.Now()
	if s.tracing != nil {
		s.tracing.stages[stage] += now.Sub(began)
	}
	return now
}

// count notes what was built.
func (s *Store) count(scopes, resources int) {
	if s.tracing != nil {
		s.tracing.scopes += scopes
		s.tracing.resources += resources
	}
}

// finish is called when everybody concerned has been told.
func (s *Store) finish(t *trace) {
	s.traces.add(t)
	if t.streams > 0 {
		s.metrics.broadcasts.Inc()
	}
	t.close(s.config.Now(), s.metrics)
}

// close is called once by the Store and once for each stream that was told, when it has answered or left. The last of them
// knows how long the change took.
func (t *trace) close(now time.Time, m *metrics) {
	if t.open.Add(-1) > 0 {
		return
	}
	took := max(now.Sub(t.at), 1)
	t.took.Store(int64(took))
	m.traced(t, took)
}

// lengthen makes the longest of several durations known.
func lengthen(longest *atomic.Int64, d time.Duration) {
	for {
		known := longest.Load()
		if int64(d) <= known || longest.CompareAndSwap(known, int64(d)) {
			return
		}
	}
}

// stage is the time spent in a stage; ok is false when the change has not been there.
func (t *trace) stage(stage Stage) (spent time.Duration, ok bool) {
	switch {
	case stage < StagePush:
		return t.stages[stage], true
	case stage == StagePush:
		return time.Duration(t.push.Load()), t.streams > 0
	default:
		return time.Duration(t.acknowledge.Load()), t.streams > 0
	}
}
