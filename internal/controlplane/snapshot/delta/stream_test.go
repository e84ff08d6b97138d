package delta

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/resourcetype"
)

// heldStream is a Stream whose queue a test takes itself.
type heldStream struct {
	Stream
	conversation *conversation
	snapshot     *lockedSnapshot
	now          time.Time
}

func newHeldStream(t *testing.T) *heldStream {
	h := &heldStream{conversation: newConversation(t), now: time.Unix(1_800_000_000, 0)}
	h.snapshot = &lockedSnapshot{fakeSnapshot: h.conversation.snapshot}
	h.Init(&Config{Now: func() time.Time { return h.now }, Metrics: NewMetrics(prometheus.NewRegistry())}, nil, entity.Name{}, h.snapshot)
	return h
}

// clusters are changes of clusters.
func clusters(names ...string) *Changes {
	changes := &Changes{}
	changes[resourcetype.Clusters] = names
	return changes
}

// wasWoken reports whether the stream was woken since the last call.
func (h *heldStream) wasWoken() bool { return h.woken.Swap(false) }

// take moves the queue to the state machine.
func (h *heldStream) take(t *testing.T) {
	t.Helper()
	if !h.takePending(h.conversation.q, h.snapshot) {
		t.Fatal("the stream has another snapshot")
	}
}

// expectQueue checks what is queued.
func (h *heldStream) expectQueue(t *testing.T, step string, changes int, all bool) {
	t.Helper()
	if list, gotAll := h.PendingChanges(); len(list) != changes || gotAll != all {
		t.Errorf("%s: %d changes are queued, and everything may have changed: %t; want %d and %t", step, len(list), gotAll, changes, all)
	}
}

// TestQueueOfASlowClientIsBounded queues changes until they are replaced by one comparison.
func TestQueueOfASlowClientIsBounded(t *testing.T) {
	h := newHeldStream(t)
	began := h.now
	for i := range MaxPendingChanges {
		h.Notify(clusters("c"), began.Add(time.Duration(i)*time.Second), nil)
	}
	h.expectQueue(t, "at the limit", MaxPendingChanges, false)
	if !h.wasWoken() || h.wasWoken() {
		t.Error("the stream was not woken once")
	}
	h.Notify(clusters("c"), began.Add(time.Hour), nil)
	h.expectQueue(t, "beyond the limit", 0, true)
	if !h.allSince.Equal(began) {
		t.Errorf("everything may have changed since %s, want the time of the first change, %s", h.allSince, began)
	}
	h.Notify(clusters("d"), began.Add(2*time.Hour), nil)
	h.expectQueue(t, "after that", 1, true)
	h.conversation.q.types[resourcetype.Clusters].versions.set("known", stateUnsent)
	h.take(t)
	h.expectQueue(t, "taken", 0, false)
	st := &h.conversation.q.types[resourcetype.Clusters]
	if _, dirty := st.dirty["known"]; !dirty || !st.dirtySince.Equal(began) {
		t.Errorf("the state machine has %v since %s, want what the client has, since the first change", st.dirty, st.dirtySince)
	}
}

// TestChangesOfOtherDestinationsWakeNobody notifies a stream of destinations that its client has, and of others.
func TestChangesOfOtherDestinationsWakeNobody(t *testing.T) {
	h := newHeldStream(t)
	h.addDestination(onDemand(1))
	for _, c := range []struct {
		changes *Changes
		want    int
	}{
		{clusters(), 0}, {clusters(onDemand(2)), 0}, {clusters(onDemand(2), onDemand(1)), 1}, {clusters(onDemand(2), "shop/web|80"), 2},
	} {
		h.Notify(c.changes, h.now, nil)
		h.expectQueue(t, fmt.Sprintf("a change of %v", c.changes), c.want, false)
		if c.want == 0 && h.wasWoken() {
			t.Errorf("a change of %v wakes the stream", c.changes)
		}
	}
	if !h.wasWoken() {
		t.Error("the stream was not woken")
	}
}

// TestLoadedDestinationsAreSent loads destinations that a client has not asked for.
func TestLoadedDestinationsAreSent(t *testing.T) {
	h := newHeldStream(t)
	h.conversation.addDestination(1)
	if h.Load(nil); h.wasWoken() {
		t.Error("nothing to load wakes the stream")
	}
	h.Load([]string{onDemand(1), onDemand(2)})
	if !h.wasWoken() {
		t.Error("the stream was not woken")
	}
	h.take(t)
	if got := h.Destinations(); !slices.Equal(got, []string{onDemand(1)}) {
		t.Errorf("the client counts as having %v, want the destination that exists", got)
	}
	if _, known := h.conversation.q.types[resourcetype.Clusters].versions.get(onDemand(1)); !known || h.loading != nil {
		t.Errorf("the destination is sent: %t, and %v is still to be loaded", known, h.loading)
	}
}

// TestHandoverReachesTheStateMachine reports handovers to a client that awaits one, and to one that does not.
func TestHandoverReachesTheStateMachine(t *testing.T) {
	h := newHeldStream(t)
	h.SetHandover(Handover{})
	if h.take(t); h.conversation.q.handover != nil || !h.wasWoken() {
		t.Error("a client that has no other Envoy has the state of a handover, or is not woken")
	}
	h.AwaitHandover()
	if h.take(t); h.conversation.q.handover == nil || h.conversation.q.handover.known {
		t.Error("a client that may have another Envoy does not wait to know it")
	}
	h.SetHandover(Handover{})
	if h.take(t); !h.conversation.q.handover.known {
		t.Error("that there is no other Envoy is not known")
	}
	other := newHeldStream(t)
	other.SetHandover(Handover{Started: true})
	if other.take(t); other.conversation.q.handover == nil || !other.conversation.q.handover.Started || other.handover != nil {
		t.Error("a handover without a wait is not known, or is not taken once")
	}
}

// TestUnansweredChangesAreNotAcknowledged follows the oldest change that a client has not answered.
func TestUnansweredChangesAreNotAcknowledged(t *testing.T) {
	h := newHeldStream(t)
	began := h.now
	if h.HasAcknowledged(began) || !h.HasAcknowledged(began.Add(-time.Nanosecond)) || !h.ConnectedAt().Equal(began) {
		t.Error("a new client has answered what was there at its beginning, or has not answered what was before")
	}
	for _, kind := range []resourcetype.Type{resourcetype.Clusters, resourcetype.Listeners} {
		h.conversation.subscribe(kind)
		h.conversation.expect(kind.String())
		h.conversation.ack(kind)
	}
	complete := &serving{}
	h.owner = complete
	h.take(t)
	h.recordProgress(h.conversation.q)
	if !h.HasAcknowledged(began.Add(time.Hour)) || len(complete.complete) != 1 {
		t.Errorf("a client that has answered everything has not acknowledged it, or was complete %d times", len(complete.complete))
	}
	for name, change := range map[string]func(at time.Time){
		"a change":         func(at time.Time) { h.Notify(clusters("c"), at, nil) },
		"another snapshot": func(at time.Time) { h.Move(h.snapshot, at, nil) },
	} {
		at := began.Add(time.Minute)
		change(at)
		change(at.Add(time.Minute))
		if h.HasAcknowledged(at) || !h.HasAcknowledged(at.Add(-time.Nanosecond)) {
			t.Errorf("%s: acknowledged although the client was not sent it, or not what was before", name)
		}
		h.recordProgress(h.conversation.q)
		if h.HasAcknowledged(at) {
			t.Errorf("%s: acknowledged while it is queued", name)
		}
		h.take(t)
		h.conversation.expect()
		h.recordProgress(h.conversation.q)
		if !h.HasAcknowledged(at.Add(time.Hour)) {
			t.Errorf("%s: not acknowledged though there was nothing to send", name)
		}
	}
	h.conversation.put(resourcetype.Clusters, "c", "1")
	h.Notify(clusters("c"), began.Add(time.Hour), nil)
	h.take(t)
	h.conversation.expect("CDS c")
	h.recordProgress(h.conversation.q)
	if h.HasAcknowledged(began.Add(time.Hour)) {
		t.Error("a response without an answer is acknowledged")
	}
	if len(complete.complete) != 1 {
		t.Errorf("the client was complete %d times, want once", len(complete.complete))
	}
}

// TestEndedStreamsCanBeRead closes the traces of a stream. Whoever still reads it does not wait for ever.
func TestEndedStreamsCanBeRead(t *testing.T) {
	h := newHeldStream(t)
	h.Notify(clusters("c"), h.now, nil)
	h.CloseTraces()
	if !h.mu.TryLock() {
		t.Fatal("the stream is locked after its traces were closed")
	}
	h.mu.Unlock()
	h.expectQueue(t, "after the end", 1, false)
}
