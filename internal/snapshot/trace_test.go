package snapshot

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/openservicemesh/osm-operator/internal/catalog"
	"github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// traced is a mesh of one client and one server with settled sidecars, before a change.
func traced(t *testing.T) (b *bench, client, server *sidecar) {
	b = newBench()
	b.store.MarkSynced()
	entries := twoServices()
	one, two := pods(entries)
	b.apply(entries...)
	client, server = newSidecar(b, one), newSidecar(b, two)
	for _, s := range []*sidecar{client, server} {
		s.open(t)
		s.settle(t)
	}
	return b, client, server
}

// latest is the trace of the last change.
func (b *bench) latest() Trace { return b.store.Traces()[0] }

// TestTraceOfAChange follows a change of endpoints, which concerns the client alone, with a clock that goes on by another number
// of seconds in each stage.
func TestTraceOfAChange(t *testing.T) {
	b, client, _ := traced(t)
	began := b.now
	tick := func(seconds int) { b.now = b.now.Add(time.Duration(seconds) * time.Second) }
	received := b.now
	tick(1)
	slice := meshtest.Slice(meshtest.Name("a", "server"))
	b.store.Apply([]catalog.Change{{Ref: slice.Ref(), Entry: slice, Generation: 9, Received: received}})
	tick(2)
	b.run()
	want := Trace{
		Number: b.latest().Number, At: began, Total: 1, Objects: []TracedObject{{Ref: slice.Ref(), Generation: 9}},
		Resources: 1, Streams: 1, Open: 1, Waiting: []catalog.Name{client.pod.Name},
		Stages: map[Stage]time.Duration{
			StageIngest: time.Second, StageQueue: 2 * time.Second, StageCatalog: 0, StageScope: 0, StageEnvoy: 0, StagePush: 0, StageAcknowledge: 0,
		},
	}
	if diff := cmp.Diff(want, b.latest()); diff != "" {
		t.Fatalf("before it is pushed (-want +got):\n%s", diff)
	}
	tick(4)
	client.flush(t)
	want.Stages[StagePush] = 4 * time.Second
	if diff := cmp.Diff(want, b.latest()); diff != "" {
		t.Fatalf("before it is acknowledged (-want +got):\n%s", diff)
	}
	tick(8)
	client.settle(t)
	want.Stages[StageAcknowledge] = 8 * time.Second
	want.Open, want.Waiting, want.Acknowledged, want.Took = 0, nil, 1, 15*time.Second
	if diff := cmp.Diff(want, b.latest()); diff != "" {
		t.Errorf("at the end (-want +got):\n%s", diff)
	}
}

// TestTraceOfWhoDoesNotAcknowledge rejects one change, leaves during another, and is skipped when too many are not answered.
func TestTraceOfWhoDoesNotAcknowledge(t *testing.T) {
	b, client, server := traced(t)
	rule := func(path string) catalog.Entry { return meshtest.Group("a", "routes", path) }
	t.Run("rejects", func(t *testing.T) {
		b.apply(rule("/rejected"))
		server.flush(t)
		server.deliverResponse(t, true)
		server.settle(t)
		if got := b.latest(); got.Rejected != 1 || got.Open != 0 || got.Acknowledged != got.Streams-1 {
			t.Errorf("%+v", got)
		}
	})
	t.Run("leaves", func(t *testing.T) {
		b.apply(rule("/left"))
		server.close()
		if got := b.latest(); got.Left != 1 || got.Open != 0 || got.Took == 0 {
			t.Errorf("%+v", got)
		}
	})
	t.Run("lags", func(t *testing.T) {
		for i := range 2 * maxFollowed {
			pod := meshtest.Pod("a", "server", "server", "server", fmt.Sprint("10.0.1.", i+1))
			b.apply(meshtest.Slice(meshtest.Name("a", "server"), pod), pod)
		}
		if got := b.latest(); got.Skipped != 1 || got.Open != 0 {
			t.Errorf("%+v", got)
		}
		if n := len(client.stream.following); n != maxFollowed {
			t.Errorf("%d changes are followed at one stream", n)
		}
		client.settle(t)
		for _, trace := range b.store.Traces() {
			if trace.Open > 0 {
				t.Errorf("not over: %+v", trace)
			}
		}
	})
}

// TestWhatIsTraced makes many changes, and one that changes nothing.
func TestWhatIsTraced(t *testing.T) {
	b := newBench()
	for i := range 2 * maxTraces {
		b.apply(&catalog.Namespace{Name: fmt.Sprint("n", i), Monitored: true})
	}
	list := b.store.Traces()
	if len(list) != maxTraces {
		t.Fatalf("%d changes are remembered", len(list))
	}
	for i, trace := range list {
		if want := fmt.Sprint("n", 2*maxTraces-1-i); trace.Objects[0].Ref.Name.Namespace != want || trace.Took == 0 {
			t.Fatalf("change %d: %+v, want %s", i, trace, want)
		}
	}
	b.apply(&catalog.Namespace{Name: "n0", Monitored: true})
	if b.latest().Number != list[0].Number {
		t.Error("a change that changes nothing is shown")
	}
	b.remove(&catalog.Namespace{Name: "n0"})
	if got := b.latest(); !got.Objects[0].Removed {
		t.Errorf("%+v", got)
	}
	large := make([]catalog.Change, 100)
	for i := range large {
		large[i] = catalog.Set(&catalog.Namespace{Name: fmt.Sprint("m", i), Monitored: true})
	}
	b.store.Apply(large)
	b.run()
	if got := b.latest(); len(got.Objects) != maxTracedObjects || got.Total != len(large) {
		t.Errorf("%+v", got)
	}
}

// TestFollowingAllocatesNothing counts what it costs to follow one change at many streams, after the first.
func TestFollowingAllocatesNothing(t *testing.T) {
	b := newBench()
	streams := make([]*Stream, 200)
	for i := range streams {
		streams[i] = &Stream{store: b.store}
	}
	follow := func() {
		trace := b.store.begin(arrivals{since: b.now})
		for _, s := range streams {
			s.mu.Lock()
			s.follow(trace, b.now)
			s.took()
			s.mu.Unlock()
			s.wrote()
			s.mu.Lock()
			s.answered()
			s.mu.Unlock()
		}
		b.store.finish(trace)
	}
	if got := testing.AllocsPerRun(10, follow); got > 5 {
		t.Errorf("%v allocations to follow a change at %d streams", got, len(streams))
	}
	if b.latest().Acknowledged != len(streams) {
		t.Errorf("%+v", b.latest())
	}
}
