package snapshot

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"

	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/delta"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/resourcetype"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/testing/fakexds"
)

// served is a stream in a bubble of synctest whose client a test drives.
type served struct {
	requests chan *discovery.DeltaDiscoveryRequest
	sent     chan *delta.Response
	ended    chan error
	cancel   context.CancelFunc
}

// clientOf returns a client with the requests of a channel; nil for none.
func clientOf(ctx context.Context, requests <-chan *discovery.DeltaDiscoveryRequest, send delta.SendFunc) delta.Client {
	receive, end := fakexds.Requests(ctx, requests)
	return delta.Client{Receive: receive, Send: send, End: end}
}

// serve serves a pod with the clock of the bubble.
func (h *harness) serve(t *testing.T, pod *inventory.Instance) *served {
	t.Helper()
	h.clock = time.Now
	stream := h.connect(t, pod)
	s := &served{requests: make(chan *discovery.DeltaDiscoveryRequest), sent: make(chan *delta.Response, 100), ended: make(chan error, 1)}
	ctx, cancel := context.WithCancel(t.Context())
	s.cancel = cancel
	go func() {
		s.ended <- stream.Serve(ctx, clientOf(ctx, s.requests, func(r *delta.Response) error {
			s.sent <- r
			return nil
		}))
	}()
	s.requests <- &discovery.DeltaDiscoveryRequest{TypeUrl: resourcetype.Clusters.URL()}
	return s
}

func (s *served) hasEnded() error {
	synctest.Wait()
	select {
	case err := <-s.ended:
		return err
	default:
		return nil
	}
}

// TestThreat49UnansweredStream checks that a client that reads and never answers is disconnected: policies would wait for it forever.
func TestThreat49UnansweredStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		entries := twoServices()
		client, _ := podsOf(entries)
		h := newSyncedHarness(entries...)
		s := h.serve(t, client)
		<-s.sent
		time.Sleep(2*time.Minute - time.Second)
		if err := s.hasEnded(); err != nil {
			t.Fatalf("ended before the limit: %v", err)
		}
		time.Sleep(2 * time.Second)
		if err := s.hasEnded(); !errors.Is(err, delta.ErrUnanswered) {
			t.Errorf("ended with %v", err)
		}
		s.cancel()
	})
}

// TestAnsweredStreamStays answers late, and then is idle for an hour.
func TestAnsweredStreamStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		entries := twoServices()
		client, _ := podsOf(entries)
		h := newSyncedHarness(entries...)
		s := h.serve(t, client)
		r := <-s.sent
		time.Sleep(110 * time.Second)
		s.requests <- &discovery.DeltaDiscoveryRequest{TypeUrl: r.Type.URL(), ResponseNonce: r.Nonce}
		time.Sleep(time.Hour)
		if err := s.hasEnded(); err != nil {
			t.Errorf("ended with %v", err)
		}
		s.cancel()
		<-s.ended
	})
}
