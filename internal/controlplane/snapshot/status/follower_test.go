package status

import (
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
)

// TestFollower_DoesNotAllocate counts the allocations for one batch at many streams, after the first batch.
func TestFollower_DoesNotAllocate(t *testing.T) {
	tracer := NewTracer(prometheus.NewRegistry(), nil)
	now := time.Unix(1_800_000_000, 0)
	followers := make([]Follower, 200)
	follow := func() {
		trace := tracer.Begin(Batch{QueuedAt: now}, now, func(catalog.Change) bool { return false })
		for i := range followers {
			f := &followers[i]
			f.Notified(trace, now)
			f.MarkSynced()
			f.Sent(now)
			f.Answered(time.Time{}, now)
		}
		tracer.Finish(trace, now)
	}
	if got := testing.AllocsPerRun(10, follow); got > 5 {
		t.Errorf("%v allocations for one batch at %d streams", got, len(followers))
	}
	if latest := tracer.List(func(PendingPods) {})[0]; latest.Acknowledged != len(followers) {
		t.Errorf("the latest trace is %+v, want %d acknowledgements", latest, len(followers))
	}
}

// exported collects traces.
type exported struct {
	enabled bool
	traces  []Trace
}

// Enabled implements Exporter.
func (e *exported) Enabled() bool { return e.enabled }

// Export implements Exporter.
func (e *exported) Export(t Trace) { e.traces = append(e.traces, t) }

// TestCompleteTracesAreExported verifies that a trace is exported once, after the last answer, and only if it has streams.
func TestCompleteTracesAreExported(t *testing.T) {
	for _, enabled := range []bool{true, false} {
		exporter := &exported{enabled: enabled}
		tracer := NewTracer(prometheus.NewRegistry(), exporter)
		now := time.Unix(1_800_000_000, 0)
		begin := func() *BatchTrace {
			return tracer.Begin(Batch{QueuedAt: now}, now, func(catalog.Change) bool { return false })
		}
		tracer.Finish(begin(), now)
		followers := make([]Follower, 3)
		trace := begin()
		for i := range followers {
			followers[i].Notified(trace, now)
		}
		tracer.Finish(trace, now)
		for i := range followers {
			if len(exporter.traces) > 0 {
				t.Fatalf("a trace is exported before stream %d has answered", i)
			}
			followers[i].MarkSynced()
			followers[i].Sent(now.Add(time.Second))
			followers[i].Answered(time.Time{}, now.Add(2*time.Second))
		}
		want := 0
		if enabled {
			want = 1
		}
		if len(exporter.traces) != want {
			t.Fatalf("enabled %t: %d traces are exported, want %d", enabled, len(exporter.traces), want)
		}
		if enabled && (exporter.traces[0].Acknowledged != 3 || exporter.traces[0].Duration != 2*time.Second || exporter.traces[0].Stages[StageAcknowledge] != time.Second) {
			t.Errorf("the trace is %+v", exporter.traces[0])
		}
	}
}
