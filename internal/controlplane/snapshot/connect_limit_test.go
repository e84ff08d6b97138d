package snapshot

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// TestMaxConnections connects pods with and without room for them.
func TestMaxConnections(t *testing.T) {
	entries := twoServices()
	client, server := podsOf(entries)
	third := meshtest.Pod("a", "third", "client", "client", "10.0.0.3")
	h := newSyncedHarness(append(entries, third)...)
	rejected := 0
	for _, step := range []struct {
		name  string
		limit int
		peer  Peer
		want  error
	}{
		{"the first pod", 2, peerOf(client), nil},
		{"the last pod with room", 2, peerOf(server), nil},
		{"one too many", 2, peerOf(third), ErrFull},
		{"a pod that connects again", 2, peerOf(client), nil},
		{"one too many again", 2, peerOf(third), ErrFull},
		{"a pod that connects again, with a lower limit", 1, peerOf(server), nil},
		{"one too many, with a lower limit", 1, peerOf(third), ErrFull},
		{"without a limit", 0, peerOf(third), nil},
	} {
		h.store.SetMaxConnections(step.limit)
		stream, err := h.tryConnect(step.peer)
		if !errors.Is(err, step.want) || (stream != nil) != (step.want == nil) {
			t.Errorf("%s: a stream %t, error %v; want error %v", step.name, stream != nil, err, step.want)
		}
		if step.want != nil {
			rejected++
		}
		if got := testutil.ToFloat64(h.store.metrics.full); got != float64(rejected) {
			t.Errorf("%s: %v rejections are counted, want %d", step.name, got, rejected)
		}
	}
}

// TestRejectedClientIsNotBoundLater rejects a client before its pod is known.
func TestRejectedClientIsNotBoundLater(t *testing.T) {
	entries := twoServices()
	client, _ := podsOf(entries)
	h := newSyncedHarness()
	if _, err := h.tryConnect(peerOf(client)); !errors.Is(err, ErrUnknown) {
		t.Errorf("before its pod is known, the error of the client is %v, want ErrUnknown", err)
	}
	h.apply(entries...)
	h.expectStreams(t, 0)
}

// TestBoundClientIsNotRejected rejects a client that has not yet received its stream.
func TestBoundClientIsNotRejected(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		entries := twoServices()
		client, _ := podsOf(entries)
		h := newSyncedHarness(entries...)
		p := &pendingStream{peer: peerOf(client), result: make(chan connectResult, 1)}
		h.store.addPending(p)
		h.run()
		h.store.reject(p, ErrUnknown) // blocks the Store if it sends another result
		if r := <-p.result; r.stream == nil || r.err != nil {
			t.Errorf("the client has a stream: %t, and the error %v; want the stream", r.stream != nil, r.err)
		}
	})
}

// TestConnectToABusyStore lets the Store bind a client only after the longest wait for an unknown pod.
func TestConnectToABusyStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		entries := twoServices()
		client, _ := podsOf(entries)
		h := newSyncedHarness(entries...)
		c := h.beginConnect(t.Context(), peerOf(client))
		time.Sleep(2 * unknownPodTimeout)
		h.end(t, c)
		if c.stream == nil || c.err != nil {
			t.Errorf("the client has a stream: %t, and the error %v; want the stream", c.stream != nil, c.err)
		}
		h.expectStreams(t, 1)
	})
}
