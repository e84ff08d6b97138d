package status

import (
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/openservicemesh/osm-operator/internal/catalog"
)

// TestFollower_DoesNotAllocate counts the allocations for one batch at many streams, after the first batch.
func TestFollower_DoesNotAllocate(t *testing.T) {
	tracer := NewTracer(prometheus.NewRegistry())
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
		t.Errorf("%+v", latest)
	}
}
