package snapshot

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// A control plane whose configuration sidecars reject whatever policies say must not take permissions away to find out: the sidecars
// go on with what they have from the one before. What still is rejected after a while is examined as always.
func TestPoliciesFromTheStartAreNotWithheldAtOnce(t *testing.T) {
	b := newBench()
	b.store.config.Settling = time.Minute
	entries := twoServices()
	_, server := pods(entries)
	b.apply(entries...)
	b.store.MarkSynced()
	b.run()
	s := newSidecar(b, server)
	s.judge = dislikes("/x")
	s.open(t)
	s.settle(t)
	if got := b.rejected(); len(got) != 0 {
		t.Fatalf("withheld at once: %v", got)
	}
	if !s.offers("/x") {
		t.Error("what the sidecar rejects is not offered any more")
	}
	b.now = b.now.Add(time.Minute)
	for key, w := range b.store.quarantine.wards {
		w.resting = false // its timer runs in real time
		b.store.examineNext(key)
	}
	s.settle(t)
	want := []string{`TrafficTarget a/t by a/server: RDS ` + inboundRoutes + ` "no"`}
	if diff := cmp.Diff(want, b.rejected()); diff != "" {
		t.Errorf("withheld after a minute (-want +got):\n%s", diff)
	}
}
