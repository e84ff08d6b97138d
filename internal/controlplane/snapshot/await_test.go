package snapshot

import (
	"context"
	"errors"
	"net/netip"
	"testing"
	"time"
)

// TestAwaitStream waits for streams of a pod before and after they exist, from the same and from another address.
func TestAwaitStream(t *testing.T) {
	r := &registry{}
	s := &Store{registry: registry{}}
	peer := Peer{PodUID: "uid", Address: netip.MustParseAddr("10.0.0.1")}
	foreign := peer
	foreign.Address = netip.MustParseAddr("10.0.0.2")
	stream := &Stream{store: s, peer: peer}

	before, other := r.wait(peer), r.wait(foreign)
	r.add(stream)
	if got := <-before.stream; got != stream {
		t.Error("the earlier reader got another stream")
	}
	if got := <-r.wait(peer).stream; got != stream {
		t.Error("the later reader got another stream")
	}
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
	if _, err := s.AwaitStream(ctx, peer); !errors.Is(err, ErrNotConnected) {
		t.Errorf("a pod without a stream: got %v, want %v", err, ErrNotConnected)
	}
}
