package snapshot

import (
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/delta"
	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/status"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/resourcetype"
)

// TestEpochs_ListenersWaitUntilTheEpochIsRecorded checks which Envoys get no listener before it is known whether another Envoy takes over from them.
func TestEpochs_ListenersWaitUntilTheEpochIsRecorded(t *testing.T) {
	for name, test := range map[string]struct {
		software status.Software
		waits    bool
	}{
		"without epochs":             {status.Software{}, false},
		"first epoch, with a slot":   {status.Software{Slot: "a"}, true},
		"later epoch, without slots": {status.Software{Epoch: 1}, true},
		"later epoch, with a slot":   {status.Software{Slot: "b", Epoch: 1}, true},
	} {
		entries := twoServices()
		_, server := podsOf(entries)
		h := newSyncedHarness(entries...)
		p := newFakeProxy(h, server)
		var err error
		if p.stream, err = h.tryConnect(peerOf(server)); err != nil {
			t.Fatal(err)
		}
		p.session, p.toServer = p.stream.delta.NewSession(p.stream.options()), p.envoy.Open()
		p.stream.SetSoftware(test.software)
		hasListener := func() bool {
			for p.flush(t); p.deliverRequest(t) || p.deliverResponse(t, false); p.flush(t) {
			}
			return p.envoy.Versions()[resourcetype.Listeners.URL()][envoy.InboundListener] != ""
		}
		if got := hasListener(); got == test.waits {
			t.Errorf("%s: before the epoch is recorded, the Envoy has its listener: %t, want %t", name, got, !test.waits)
		}
		h.run()
		if !hasListener() {
			t.Errorf("%s: afterwards the Envoy has no listener", name)
		}
	}
}

// TestEpochs_EndedStreamAnnouncesNothing ends a stream before its epoch is recorded.
func TestEpochs_EndedStreamAnnouncesNothing(t *testing.T) {
	entries := twoServices()
	client, _ := podsOf(entries)
	h := newSyncedHarness(entries...)
	ended, err := h.tryConnect(peerOf(client))
	if err != nil {
		t.Fatal(err)
	}
	current := h.connect(t, client)
	ended.SetSoftware(status.Software{})
	h.run()
	if got := h.store.Proxies(); len(got) != 1 || !h.store.isConnected(current) {
		t.Errorf("%d Envoys of the pod are listed, and the later one is connected: %t; want the later one only", len(got), h.store.isConnected(current))
	}
	current.Close()
	h.run()
	if got := h.store.Proxies(); len(got) != 0 {
		t.Errorf("after all streams have ended, %d Envoys are listed", len(got))
	}
}

// TestEpochs_UnknownEpochHasNoSuccessor ends a stream of a pod that has one without an epoch.
func TestEpochs_UnknownEpochHasNoSuccessor(t *testing.T) {
	h, _, later := twoEnvoys(t)
	unknown, err := h.tryConnect(peerOf(later.pod))
	if err != nil {
		t.Fatal(err)
	}
	later.close()
	if unknown.handover != (delta.Handover{}) {
		t.Errorf("the handover from an Envoy with an unknown epoch is %+v, want none", unknown.handover)
	}
}

// TestHandover_ReportsOfOthersDoNotProlongIt lets another replica report an epoch while the later Envoy of a pod is gone. That must not postpone when the
// earlier one counts as the one that serves.
func TestHandover_ReportsOfOthersDoNotProlongIt(t *testing.T) {
	h, draining, serving := handOver(t)
	h.apply(tcpTarget(draining.pod, "client"))
	draining.sync(t)
	serving.close()
	draining.flush(t)
	end := draining.deadline
	h.now = h.now.Add(time.Second)
	h.store.SetEpochsElsewhere(map[entity.InstanceID]uint64{draining.pod.ID: draining.epoch})
	h.run()
	draining.flush(t)
	if !draining.deadline.Equal(end) {
		t.Errorf("after the report, the Envoy serves again at %v, want %v", draining.deadline, end)
	}
}

// TestHandoverFrom checks what follows from the other streams of a pod.
func TestHandoverFrom(t *testing.T) {
	of := func(epoch uint64, complete, earlier bool) *Stream {
		s := &Stream{epoch: epoch, announced: true, completeEarlier: earlier}
		if complete {
			s.delta.Acknowledgements().SetComplete()
		}
		return s
	}
	unknown := of(9, true, true)
	unknown.announced = false
	for name, test := range map[string]struct {
		others []*Stream
		want   delta.Handover
	}{
		"none":                       {nil, delta.Handover{}},
		"an earlier Envoy":           {[]*Stream{of(1, true, true), of(2, true, true)}, delta.Handover{}},
		"an unknown epoch":           {[]*Stream{unknown}, delta.Handover{}},
		"a later one that starts":    {[]*Stream{of(3, false, true)}, delta.Handover{Started: true}},
		"a complete one":             {[]*Stream{of(3, true, false)}, delta.Handover{Started: true, Complete: true}},
		"one that was complete":      {[]*Stream{of(3, true, true)}, delta.Handover{Started: true, Complete: true, Earlier: true}},
		"two, the first since long":  {[]*Stream{of(3, true, true), of(4, true, false)}, delta.Handover{Started: true, Complete: true, Earlier: true}},
		"two, the second since long": {[]*Stream{of(3, true, false), of(4, true, true)}, delta.Handover{Started: true, Complete: true, Earlier: true}},
	} {
		stream := of(2, true, true)
		if got := handoverFrom(stream, append(test.others, stream)); got != test.want {
			t.Errorf("%s: the handover is %+v, want %+v", name, got, test.want)
		}
	}
}

// TestCompareServing compares the streams of a pod by epoch, and by whether it is known.
func TestCompareServing(t *testing.T) {
	of := func(announced bool, epoch uint64) *Stream { return &Stream{announced: announced, epoch: epoch} }
	for _, test := range []struct {
		name string
		a, b *Stream
		want int
	}{
		{"a known epoch", of(true, 0), of(false, 0), 1},
		{"an unknown epoch", of(false, 0), of(true, 0), -1},
		{"two unknown epochs", of(false, 0), of(false, 0), 0},
		{"the same epoch", of(true, 1), of(true, 1), 0},
		{"an earlier epoch, both starting", of(true, 1), of(true, 2), 1},
	} {
		if got := compareServing(test.a, test.b); got != test.want {
			t.Errorf("%s: compared %d, want %d", test.name, got, test.want)
		}
	}
}

// TestRemoveFromPod removes the streams of a pod one by one.
func TestRemoveFromPod(t *testing.T) {
	h, earlier, later := twoEnvoys(t)
	if !h.store.removeFromPod(earlier.stream) || h.store.isConnected(earlier.stream) || !h.store.isConnected(later.stream) {
		t.Error("after the removal of one of two streams, the other one is not the only one")
	}
	if h.store.removeFromPod(later.stream) || len(h.store.streams) > 0 {
		t.Errorf("after the removal of the last stream, %d pods have streams, want none", len(h.store.streams))
	}
}
