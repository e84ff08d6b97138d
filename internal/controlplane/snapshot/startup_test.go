package snapshot

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
)

// newStartingMesh returns a mesh whose control plane has started less than a minute ago, and the pod of its server.
func newStartingMesh() (h *harness, server *inventory.Instance) {
	h = newHarness()
	h.store.config.StartupPeriod = time.Minute
	entries := twoServices()
	_, server = podsOf(entries)
	h.apply(entries...)
	h.store.MarkSynced()
	h.run()
	return h, server
}

// A new control plane version may build configuration that proxies reject whatever the policies are. It must not remove permissions to
// find out, because the proxies still use their earlier configuration.
func TestStartupPeriod_PoliciesAreNotQuarantined(t *testing.T) {
	h, server := newStartingMesh()
	s := newFakeProxy(h, server)
	s.rejectIf = contains("/x")
	s.open(t)
	s.sync(t)
	if got := h.rejections(); len(got) != 0 {
		t.Fatalf("quarantined at once: %v", got)
	}
	if !s.hasInboundRoute("/x") {
		t.Error("the rejected policy is not in the snapshot")
	}
	h.now = h.now.Add(time.Minute)
	h.fireTimers()
	s.sync(t)
	want := []string{`TrafficTarget a/t by a/server: RDS ` + inboundRoutes + ` "no"`}
	if diff := cmp.Diff(want, h.rejections()); diff != "" {
		t.Errorf("quarantined after a minute (-want +got):\n%s", diff)
	}
}

// TestRejectionOfAnEndedStreamIsForgotten replaces an Envoy that has rejected a policy, before it was time to look for the cause, by one that accepts it.
func TestRejectionOfAnEndedStreamIsForgotten(t *testing.T) {
	h, server := newStartingMesh()
	rejecting := newFakeProxy(h, server)
	rejecting.rejectIf = contains("/x")
	rejecting.open(t)
	rejecting.sync(t)
	rejecting.close()
	accepting := newFakeProxy(h, server)
	accepting.open(t)
	accepting.sync(t)
	h.now = h.now.Add(time.Minute)
	h.fireTimers()
	if got := h.rejections(); len(got) != 0 {
		t.Errorf("quarantined because of an Envoy that has gone: %v", got)
	}
}
