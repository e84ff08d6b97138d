package delta

import (
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/status"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/resourcetype"
)

// TestChangesOfAnotherSnapshotStayQueued moves a stream just before its queue is taken for the earlier snapshot.
func TestChangesOfAnotherSnapshotStayQueued(t *testing.T) {
	h := newHeldStream(t)
	other := &lockedSnapshot{fakeSnapshot: h.conversation.snapshot}
	h.Move(other, h.now, nil)
	if h.takePending(h.conversation.q, h.snapshot) {
		t.Error("the queue is taken for a snapshot that the stream does not have any more")
	}
	h.expectQueue(t, "after the move", 0, true)
	if !h.takePending(h.conversation.q, other) {
		t.Error("the queue is not taken for the new snapshot")
	}
	h.expectQueue(t, "taken", 0, false)
}

// TestOneChangeComparesNothingElse takes one change. What else the client has is not compared.
func TestOneChangeComparesNothingElse(t *testing.T) {
	h := newHeldStream(t)
	st := &h.conversation.q.types[resourcetype.Clusters]
	for _, name := range []string{"changed", "other"} {
		st.versions.set(name, stateUnsent)
	}
	h.Notify(clusters("changed"), h.now, nil)
	h.take(t)
	if _, dirty := st.dirty["other"]; dirty || len(st.dirty) != 1 {
		t.Errorf("after one change, %v are compared, want that name alone", st.dirty)
	}
}

// TestProgressOfANewClient checks what is reported of a client before its first request, and while it has not answered.
func TestProgressOfANewClient(t *testing.T) {
	h, owner := newHeldStream(t), &serving{}
	h.owner = owner
	h.recordProgress(h.conversation.q)
	if len(owner.complete) != 0 || h.acks.IsComplete() {
		t.Error("a client without requests has its whole configuration")
	}
	h.conversation.put(resourcetype.Clusters, "c", "1")
	h.conversation.subscribe(resourcetype.Clusters)
	h.conversation.expect("CDS c")
	h.recordProgress(h.conversation.q)
	var p status.Proxy
	h.acks.WriteTo(&p)
	if p.Types[resourcetype.Clusters].PendingSince.IsZero() {
		t.Error("clusters that are not answered are not reported as pending")
	}
}

// TestEarlierTime compares times of which some are unknown.
func TestEarlierTime(t *testing.T) {
	first := time.Unix(1_800_000_000, 0)
	second := first.Add(time.Second)
	for _, test := range []struct{ a, b, want time.Time }{
		{first, second, first}, {second, first, first}, {time.Time{}, first, first}, {first, time.Time{}, first}, {time.Time{}, time.Time{}, time.Time{}}, {first, first, first},
	} {
		if got := earlier(test.a, test.b); !got.Equal(test.want) {
			t.Errorf("the earlier one of %v and %v is %v, want %v", test.a, test.b, got, test.want)
		}
	}
}
