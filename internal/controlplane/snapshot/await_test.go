package snapshot

import (
	"context"
	"errors"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/status"
)

// received returns the stream that a reader got; nil for none.
func (w *waitingReader) received() *Stream {
	select {
	case stream := <-w.stream:
		return stream
	default:
		return nil
	}
}

// TestAwaitStream waits for streams of a pod before and after they exist, from the same and from another address.
func TestAwaitStream(t *testing.T) {
	r := &registry{}
	s := &Store{registry: registry{}}
	peer := Peer{InstanceID: "uid", Address: netip.MustParseAddr("10.0.0.1")}
	neighbour := peer
	neighbour.Address = netip.MustParseAddr("10.0.0.2")
	stream := &Stream{store: s, peer: peer}

	stream.epoch = 1
	earlier, current := uint64(0), uint64(1)
	before, other, draining := r.wait(peer, nil), r.wait(neighbour, nil), r.wait(peer, &earlier)
	r.add(stream)
	if len(before.stream) > 0 {
		t.Error("a reader got a stream whose epoch is not known")
	}
	r.announce(stream)
	if got := before.received(); got != stream {
		t.Error("the earlier reader did not get the stream")
	}
	if got := r.wait(peer, &current).received(); got != stream {
		t.Error("the later reader did not get the stream")
	}
	if len(draining.stream) > 0 {
		t.Error("a reader got the stream of another epoch")
	}
	r.stopWaiting(draining)
	if len(other.stream) > 0 {
		t.Error("a reader at another address got the stream")
	}
	r.stopWaiting(before)
	r.stopWaiting(other)
	if len(r.waiting) > 0 {
		t.Errorf("readers of %d pods are still waiting", len(r.waiting))
	}

	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if _, err := s.AwaitStream(ctx, peer, nil); !errors.Is(err, ErrNotConnected) {
		t.Errorf("a pod without a stream: got %v, want %v", err, ErrNotConnected)
	}
	cancelled, stop := context.WithCancel(t.Context())
	stop()
	if _, err := s.AwaitStream(cancelled, peer, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("a caller that has gone: got %v, want the error of its context", err)
	}
	if got := len(s.registry.waiting); got != 0 {
		t.Errorf("after the calls, readers of %d pods wait, want none", got)
	}
}

// TestReadersOfOnePodWaitApart has several readers that wait for streams of one pod.
func TestReadersOfOnePodWaitApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // a reader that gets a second stream blocks the registry
		r := &registry{}
		peer := Peer{InstanceID: "uid"}
		epochs := []uint64{0, 1, 2}
		var readers []*waitingReader
		for i := range epochs {
			readers = append(readers, r.wait(peer, &epochs[i]))
		}
		r.stopWaiting(readers[2])
		for _, epoch := range []uint64{1, 0, 1, 0} {
			stream := &Stream{peer: peer, epoch: epoch}
			r.add(stream)
			r.announce(stream)
		}
		for i, want := range []int{1, 1, 0} {
			if got := len(readers[i].stream); got != want {
				t.Errorf("the reader for epoch %d has %d streams, want %d", epochs[i], got, want)
			}
		}
		if got := len(r.waiting); got != 0 {
			t.Errorf("in the end, readers of %d pods wait, want none", got)
		}
	})
}

// TestAwaitStreamOfAConnectedPod waits for a stream that is connected, before and after its epoch is known, and for one of another account.
func TestAwaitStreamOfAConnectedPod(t *testing.T) {
	entries := twoServices()
	client, _ := podsOf(entries)
	h := newSyncedHarness(entries...)
	stream, err := h.tryConnect(peerOf(client))
	if err != nil {
		t.Fatal(err)
	}
	stranger := peerOf(client)
	stranger.ServiceAccount.Name = "other"
	expect := func(when string, peer Peer, want *Stream) {
		t.Helper()
		reader := h.store.registry.wait(peer, nil)
		defer h.store.registry.stopWaiting(reader)
		if got := reader.received(); got != want {
			t.Errorf("%s: a stream %t, want %t", when, got != nil, want != nil)
		}
	}
	expect("before its epoch is known", peerOf(client), nil)
	stream.SetSoftware(status.Software{})
	h.run()
	expect("once its epoch is known", peerOf(client), stream)
	expect("with the token of another account", stranger, nil)
}
