package snapshot

import (
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/status"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/resourcetype"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// newEnvoy opens the stream of an Envoy of a pod that is not ready before it has its whole configuration.
func newEnvoy(t *testing.T, h *harness, pod *inventory.Instance, epoch uint64) *fakeProxy {
	t.Helper()
	p := newFakeProxy(h, pod)
	p.epoch, p.isProbed = epoch, true
	p.open(t)
	return p
}

// twoEnvoys returns a mesh whose server has two Envoys, both with their configuration.
func twoEnvoys(t *testing.T) (h *harness, earlier, later *fakeProxy) {
	t.Helper()
	entries := twoServices()
	_, server := podsOf(entries)
	h = newSyncedHarness(entries...)
	earlier = newEnvoy(t, h, server, 1)
	earlier.sync(t)
	later = newEnvoy(t, h, server, 2)
	later.sync(t)
	return h, earlier, later
}

// epochs returns the epochs of the connected Envoys of a pod, sorted.
func (h *harness) epochs(pod *inventory.Instance) []uint64 {
	var list []uint64
	for _, p := range h.store.Proxies() {
		if p.InstanceID == pod.ID {
			list = append(list, p.Software.Epoch)
		}
	}
	return list
}

// TestEpochs_BothAreServed revokes a permission and renews the certificate while one Envoy of a pod drains.
func TestEpochs_BothAreServed(t *testing.T) {
	h, earlier, later := twoEnvoys(t)
	before := earlier.envoy.Versions()[resourcetype.Secrets.URL()]["service-cert"]
	h.remove(meshtest.Target("t", earlier.pod.Identity(), nil))
	h.rotate(earlier.pod.Identity())
	for name, p := range map[string]*fakeProxy{"draining": earlier, "serving": later} {
		p.sync(t)
		if p.hasInboundRoute("/x") {
			t.Errorf("the snapshot of the %s Envoy has a revoked permission", name)
		}
		if diff := cmp.Diff(p.expectedVersions(), p.envoy.Versions()); diff != "" {
			t.Errorf("the %s Envoy (-want +got):\n%s", name, diff)
		}
		if p.envoy.Versions()[resourcetype.Secrets.URL()]["service-cert"] == before {
			t.Errorf("the %s Envoy has the certificate from before the renewal", name)
		}
	}
}

// TestEpochs_PolicyIsCompleteWithBoth changes a policy that one of two Envoys has not acknowledged.
func TestEpochs_PolicyIsCompleteWithBoth(t *testing.T) {
	h, earlier, later := twoEnvoys(t)
	group := meshtest.Group("a", "routes", "/y")
	h.apply(group)
	expect := func(acknowledged int, complete bool) {
		t.Helper()
		got, err := h.store.policyStatus(group.Ref())
		if err != nil {
			t.Fatal(err)
		}
		if got.Proxies != 2 || got.Acknowledged != acknowledged || got.CompletedAt.IsZero() == complete || len(got.Pending) > 1 {
			t.Errorf("the status is %+v, want %d of 2 acknowledged, the pod once, and complete %t", got, acknowledged, complete)
		}
	}
	expect(0, false)
	later.sync(t)
	expect(1, false)
	earlier.sync(t)
	expect(2, true)
}

// TestEpochs_SameEpochReplaces reconnects one of two Envoys.
func TestEpochs_SameEpochReplaces(t *testing.T) {
	h, earlier, later := twoEnvoys(t)
	again := newEnvoy(t, h, later.pod, 2)
	if !h.store.isConnected(earlier.stream) || h.store.isConnected(later.stream) || !h.store.isConnected(again.stream) {
		t.Errorf("connected are %v", h.store.Proxies())
	}
	if !errors.Is(later.stream.delta.Cause(), ErrSuperseded) {
		t.Errorf("the older stream of the same epoch ended with %v", later.stream.delta.Cause())
	}
}

// TestThreat61InventedEpochs opens many streams of one pod with different epochs. Only its own streams end, and its Envoys are back when they connect again.
func TestThreat61InventedEpochs(t *testing.T) {
	h, _, later := twoEnvoys(t)
	entries := twoServices()
	client, _ := podsOf(entries)
	other := h.connect(t, client)
	h.store.SetMaxConnections(2)
	for i := range uint64(100) {
		stream, err := h.tryConnect(peerOf(later.pod))
		if err != nil {
			t.Fatal(err)
		}
		if i%2 == 0 {
			stream.SetSoftware(status.Software{Epoch: 1<<53 - i})
			h.run()
		}
		if n := len(h.store.streams[later.pod.ID]); n > maxEpochs+1 {
			t.Fatalf("the pod has %d streams", n)
		}
	}
	if !h.store.isConnected(other) || h.store.registry.count() != 2 {
		t.Errorf("the stream of another pod has ended, or %d pods are counted, want 2", h.store.registry.count())
	}
	for _, epoch := range []uint64{1, 2} {
		h.connectEpoch(t, later.pod, epoch)
	}
	if got := h.epochs(later.pod); !slices.Equal(got, []uint64{1, 2}) {
		t.Errorf("after they connect again, the Envoys %v of the pod are connected, want 1 and 2", got)
	}
}

// TestEpochs_OnlyTheFirstReportCounts reports another epoch on an open stream.
func TestEpochs_OnlyTheFirstReportCounts(t *testing.T) {
	h, earlier, later := twoEnvoys(t)
	later.stream.SetSoftware(status.Software{Epoch: 1})
	h.run()
	if !h.store.isConnected(earlier.stream) || later.stream.epoch != 2 {
		t.Errorf("a second report changed the epoch to %d, or ended the other stream", later.stream.epoch)
	}
}

// TestEpochs_StartingEnvoyTakesNoPolicyAway connects an Envoy of a version that rejects a policy that the serving one accepts. The policy is quarantined when
// the rejecting Envoy is the only one.
func TestEpochs_StartingEnvoyTakesNoPolicyAway(t *testing.T) {
	entries := twoServices()
	_, server := podsOf(entries)
	h := newSyncedHarness(entries...)
	serving := newEnvoy(t, h, server, 1)
	serving.sync(t)
	starting := newFakeProxy(h, server)
	starting.epoch, starting.isProbed, starting.rejectIf = 2, true, contains("/x")
	starting.open(t)
	starting.sync(t)
	h.fireTimers()
	if got := h.rejections(); len(got) > 0 || !serving.hasInboundRoute("/x") {
		t.Fatalf("quarantined because of an Envoy that only starts: %v", got)
	}
	if complete := starting.stream.delta.Acknowledgements().IsComplete(); complete || !h.store.isServing(serving.stream) {
		t.Errorf("the rejecting Envoy is complete: %t", complete)
	}
	serving.close()
	starting.sync(t)
	if got := h.rejections(); len(got) != 1 {
		t.Errorf("quarantined %v after the rejecting Envoy became the only one, want one policy", got)
	}
}

// TestThreat61OnePodHasOneVote has a pod of two Envoys that reject a policy, and another pod of the same identity that accepts it.
func TestThreat61OnePodHasOneVote(t *testing.T) {
	entries := twoServices()
	_, server := podsOf(entries)
	second := meshtest.Pod("a", "server-2", "server", "server", "10.0.0.3")
	h := newSyncedHarness(append(entries, second)...)
	accepting := newEnvoy(t, h, second, 0)
	accepting.sync(t)
	var rejecting []*fakeProxy
	for epoch := range uint64(2) {
		p := newFakeProxy(h, server)
		p.epoch = epoch
		p.open(t)
		p.sync(t)
		p.rejectIf = contains("/bad")
		rejecting = append(rejecting, p)
	}
	rejecting[0].sync(t)
	h.apply(meshtest.Group("a", "routes", "/bad"))
	for _, p := range append(rejecting, accepting) {
		p.sync(t)
	}
	h.fireTimers()
	if got := h.rejections(); len(got) > 0 {
		t.Errorf("one pod with two Envoys outvotes another: %v", got)
	}
}

// TestEpochs_NewEnvoyHasTheDestinationsInUse has an Envoy with a destination that no other pod of its identity is known to use.
func TestEpochs_NewEnvoyHasTheDestinationsInUse(t *testing.T) {
	entries, client := onDemandMesh()
	h := newSyncedHarness(entries...)
	earlier := newEnvoy(t, h, client, 1)
	earlier.sync(t)
	earlier.ask(t, serverName)
	h.store.used = newUsedDestinations(h.store.config.Now)
	later := newEnvoy(t, h, client, 2)
	isComplete := later.stream.delta.Acknowledgements().IsComplete
	for range 1000 {
		h.run()
		later.flush(t)
		if isComplete() && later.destination(t, serverName) == nil {
			t.Fatal("the new Envoy is complete without a destination that the pod uses")
		}
		if !later.deliverRequest(t) && !later.deliverResponse(t, false) {
			break
		}
	}
	if !isComplete() || later.destination(t, serverName) == nil {
		t.Errorf("complete: %t, destination: %v", isComplete(), later.destination(t, serverName))
	}
}

// TestServing verifies which Envoy of a pod answers for it.
func TestServing(t *testing.T) {
	h, earlier, later := twoEnvoys(t)
	if h.store.isServing(earlier.stream) || !h.store.isServing(later.stream) {
		t.Error("of two complete Envoys the later one serves")
	}
	third := newEnvoy(t, h, later.pod, 3) // ends the first
	if !h.store.isServing(later.stream) || h.store.isServing(third.stream) {
		t.Error("an Envoy serves before it has its configuration")
	}
	third.sync(t)
	if !h.store.isServing(third.stream) {
		t.Error("the latest Envoy does not serve, though it has its configuration")
	}
	later.stream.Close()
	fourth, _ := h.tryConnect(peerOf(later.pod))
	h.run()
	if !h.store.isServing(third.stream) || h.store.isServing(fourth) {
		t.Error("a stream without an epoch answers for the pod")
	}
}
