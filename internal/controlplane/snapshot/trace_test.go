package snapshot

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/status"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// Limits of package status.
const (
	maxTraces        = 128
	maxTracedObjects = 8
	maxFollowed      = 32
)

// newSyncedProxies returns a mesh with synced proxies of one client and one server.
func newSyncedProxies(t *testing.T) (h *harness, client, server *fakeProxy) {
	entries := twoServices()
	one, two := podsOf(entries)
	h = newSyncedHarness(entries...)
	client, server = newFakeProxy(h, one), newFakeProxy(h, two)
	for _, s := range []*fakeProxy{client, server} {
		s.open(t)
		s.sync(t)
	}
	return h, client, server
}

// latestTrace returns the trace of the last change.
func (h *harness) latestTrace() status.Trace { return h.store.Traces()[0] }

// TestTrace_Stages checks the trace of an endpoint change that affects only the client. Each stage takes another number of seconds.
func TestTrace_Stages(t *testing.T) {
	h, client, _ := newSyncedProxies(t)
	began := h.now
	tick := func(seconds int) { h.now = h.now.Add(time.Duration(seconds) * time.Second) }
	received := h.now
	tick(1)
	slice := meshtest.Slice(meshtest.Name("a", "server"))
	h.store.Apply([]catalog.Change{{Ref: slice.Ref(), Entry: slice, Generation: 9, Received: received}})
	tick(2)
	h.run()
	want := status.Trace{
		Number: h.latestTrace().Number, StartedAt: began, Total: 1, Objects: []status.TracedObject{{Ref: slice.Ref(), Generation: 9}},
		Resources: 1, Streams: 1, Open: 1, Pending: []entity.Name{client.pod.Name},
		Stages: map[status.Stage]time.Duration{
			status.StageIngest: time.Second, status.StageQueue: 2 * time.Second, status.StageCatalog: 0, status.StageScope: 0, status.StageEnvoy: 0, status.StagePush: 0, status.StageAcknowledge: 0,
		},
	}
	if diff := cmp.Diff(want, h.latestTrace()); diff != "" {
		t.Fatalf("before the push (-want +got):\n%s", diff)
	}
	tick(4)
	client.flush(t)
	want.Stages[status.StagePush] = 4 * time.Second
	if diff := cmp.Diff(want, h.latestTrace()); diff != "" {
		t.Fatalf("before the ACK (-want +got):\n%s", diff)
	}
	tick(8)
	client.sync(t)
	want.Stages[status.StageAcknowledge] = 8 * time.Second
	want.Open, want.Pending, want.Acknowledged, want.Duration = 0, nil, 1, 15*time.Second
	if diff := cmp.Diff(want, h.latestTrace()); diff != "" {
		t.Errorf("after the ACK (-want +got):\n%s", diff)
	}
}

// TestTrace_WithoutAcknowledgement checks traces of a NACK, of a stream that ends, and of a stream with too many unanswered changes.
func TestTrace_WithoutAcknowledgement(t *testing.T) {
	h, client, server := newSyncedProxies(t)
	rule := func(path string) catalog.Entry { return meshtest.Group("a", "routes", path) }
	t.Run("rejects", func(t *testing.T) {
		h.apply(rule("/rejected"))
		server.flush(t)
		server.deliverResponse(t, true)
		server.sync(t)
		if got := h.latestTrace(); got.Rejected != 1 || got.Open != 0 || got.Acknowledged != got.Streams-1 {
			t.Errorf("after a rejection the trace is %+v, want one rejected stream and none open", got)
		}
	})
	t.Run("disconnects", func(t *testing.T) {
		h.apply(rule("/left"))
		server.close()
		if got := h.latestTrace(); got.Disconnected != 1 || got.Open != 0 || got.Duration == 0 {
			t.Errorf("after a disconnect the trace is %+v, want one disconnected stream, none open and a duration", got)
		}
	})
	t.Run("does not answer", func(t *testing.T) {
		for i := range 2 * maxFollowed {
			pod := meshtest.Pod("a", "server", "server", "server", fmt.Sprint("10.0.1.", i+1))
			h.apply(meshtest.Slice(meshtest.Name("a", "server"), pod), pod)
		}
		if got := h.latestTrace(); got.Skipped != 1 || got.Open != 0 {
			t.Errorf("without an answer the trace is %+v, want one skipped stream and none open", got)
		}
		open := 0
		for _, trace := range h.store.Traces() {
			open += trace.Open
		}
		if open != maxFollowed {
			t.Errorf("%d changes are followed at one stream", open)
		}
		client.sync(t)
		for _, trace := range h.store.Traces() {
			if trace.Open > 0 {
				t.Errorf("not complete: %+v", trace)
			}
		}
	})
}

// TestTrace_Limits makes many changes, one without effect and one with many objects.
func TestTrace_Limits(t *testing.T) {
	h := newHarness()
	for i := range 2 * maxTraces {
		h.apply(&catalog.Namespace{Name: fmt.Sprint("n", i), Monitored: true})
	}
	list := h.store.Traces()
	if len(list) != maxTraces {
		t.Fatalf("%d traces", len(list))
	}
	for i, trace := range list {
		if want := fmt.Sprint("n", 2*maxTraces-1-i); trace.Objects[0].Ref.Name.Namespace != want || trace.Duration == 0 {
			t.Fatalf("change %d: %+v, want %s", i, trace, want)
		}
	}
	h.apply(&catalog.Namespace{Name: "n0", Monitored: true})
	if h.latestTrace().Number != list[0].Number {
		t.Error("a change without effect has a trace")
	}
	h.remove(&catalog.Namespace{Name: "n0"})
	if got := h.latestTrace(); !got.Objects[0].Removed {
		t.Errorf("the trace of a removed namespace is %+v, want its object as removed", got)
	}
	large := make([]catalog.Change, 100)
	for i := range large {
		large[i] = catalog.Set(&catalog.Namespace{Name: fmt.Sprint("m", i), Monitored: true})
	}
	h.store.Apply(large)
	h.run()
	if got := h.latestTrace(); len(got.Objects) != maxTracedObjects || got.Total != len(large) {
		t.Errorf("the trace of 100 objects is %+v, want the first %d and their total", got, maxTracedObjects)
	}
}
