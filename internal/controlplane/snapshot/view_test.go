package snapshot

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
)

// view calls View, lets the Store work, and returns the pod that the view has.
func (h *harness) view(ctx context.Context, name entity.Name) (pod *inventory.Instance, err error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		var found *inventory.Instance
		if err = h.store.View(ctx, func(v *catalog.View) { found = v.Pod(name) }); err == nil {
			pod = found
		}
	}()
	synctest.Wait()
	h.run()
	<-done
	return pod, err
}

// TestViewIsThatOfTheWholeMesh reads the mesh before it is complete, afterwards, for a reader that leaves, and after the Store has stopped.
func TestViewIsThatOfTheWholeMesh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, entries := newHarness(), twoServices()
		client, _ := podsOf(entries)
		h.apply(entries...)
		if pod, err := h.view(t.Context(), client.Name); !errors.Is(err, ErrNotSynced) || pod != nil {
			t.Errorf("before the initial sync: pod %v, error %v; want %v", pod, err, ErrNotSynced)
		}
		h.store.MarkSynced()
		h.run()
		if pod, err := h.view(t.Context(), client.Name); err != nil || pod != client {
			t.Errorf("after the initial sync: pod %v, error %v; want the pod", pod, err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := h.store.View(ctx, func(*catalog.View) {}); !errors.Is(err, context.Canceled) {
			t.Errorf("a reader that has left: error %v, want %v", err, context.Canceled)
		}
		h.store.queue.close()
		if err := h.store.View(t.Context(), func(*catalog.View) {}); !errors.Is(err, ErrStopped) {
			t.Errorf("after the Store has stopped: error %v, want %v", err, ErrStopped)
		}
	})
}

// TestLivePodMatchesThePeer reads the pod of a peer with a valid and with an invalid claim, and without a mesh.
func TestLivePodMatchesThePeer(t *testing.T) {
	entries := twoServices()
	client, _ := podsOf(entries)
	replaced := peerOf(client)
	replaced.InstanceID = "another"
	for name, test := range map[string]struct {
		peer    Peer
		prepare func(h *harness)
		want    error
	}{
		"a live pod":         {peerOf(client), func(h *harness) { h.store.MarkSynced() }, nil},
		"a replaced pod":     {replaced, func(h *harness) { h.store.MarkSynced() }, ErrUnknown},
		"an incomplete mesh": {peerOf(client), func(*harness) {}, ErrNotSynced},
	} {
		synctest.Test(t, func(t *testing.T) {
			h := newHarness()
			h.apply(entries...)
			test.prepare(h)
			var pod *inventory.Instance
			var err error
			go func() { pod, err = h.store.LivePod(t.Context(), test.peer) }()
			synctest.Wait()
			h.run()
			synctest.Wait()
			if !errors.Is(err, test.want) || (pod == client) != (test.want == nil) {
				t.Errorf("%s: pod %v, error %v; want error %v", name, pod, err, test.want)
			}
		})
	}
}
