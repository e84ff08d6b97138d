package snapshot

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/delta"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/resourcetype"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
)

// runningStore is a Store on its own goroutine in a bubble of synctest, with the clock and the timers of the bubble.
type runningStore struct {
	*Store
	certificates *fakeCertificates
	stop         context.CancelFunc
	ended        chan error
}

func runStore(t *testing.T, entries ...catalog.Entry) *runningStore {
	t.Helper()
	config := newHarness().store.config
	config.Now, config.Metrics = time.Now, prometheus.NewRegistry()
	certificates := newFakeCertificates(time.Now())
	config.Certificates = certificates
	s := &runningStore{Store: NewStore(config), certificates: certificates, ended: make(chan error, 1)}
	ctx, cancel := context.WithCancel(t.Context())
	s.stop = cancel
	for _, entry := range entries {
		s.Apply([]catalog.Change{catalog.Set(entry)})
	}
	go func() { s.ended <- s.Run(ctx) }()
	synctest.Wait()
	return s
}

// mustConnect connects a pod.
func (s *runningStore) mustConnect(t *testing.T, pod *inventory.Instance) *Stream {
	t.Helper()
	stream, err := s.Connect(t.Context(), peerOf(pod), func() {})
	if err != nil {
		t.Fatal(err)
	}
	return stream
}

// end stops the Store, and returns what Run returns.
func (s *runningStore) end() error {
	s.stop()
	return <-s.ended
}

// TestRunServesUntilItIsStopped checks that a Store that runs is ready after the initial sync, and that its end ends its streams and whoever waits for one.
func TestRunServesUntilItIsStopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		entries := twoServices()
		client, server := podsOf(entries)
		s := runStore(t, entries...)
		if s.IsReady() {
			t.Error("the Store is ready before the initial sync")
		}
		early := s.waitFor(t, server)
		s.MarkSynced()
		synctest.Wait()
		if !s.IsReady() {
			t.Error("the Store is not ready after the initial sync")
		}
		if err := <-early; err != nil {
			t.Errorf("a stream that waited for the initial sync: error %v, want none", err)
		}
		stream := s.mustConnect(t, client)
		unknown := *client
		unknown.Name.Name = "unknown"
		late := s.waitFor(t, &unknown)
		if err := s.end(); err != nil {
			t.Errorf("Run returns %v, want no error", err)
		}
		if s.IsReady() {
			t.Error("the Store is ready after it has stopped")
		}
		if <-stream.delta.Ended(); !errors.Is(stream.delta.Cause(), ErrStopped) {
			t.Errorf("the stream has ended with %v, want %v", stream.delta.Cause(), ErrStopped)
		}
		if err := <-late; !errors.Is(err, ErrStopped) {
			t.Errorf("a stream that waits for its pod has the error %v, want %v", err, ErrStopped)
		}
		if _, err := s.Connect(t.Context(), peerOf(client), func() {}); !errors.Is(err, ErrStopped) {
			t.Errorf("a stream after the end has the error %v, want %v", err, ErrStopped)
		}
	})
}

// waitFor connects a pod that cannot be bound yet. The channel receives the error.
func (s *runningStore) waitFor(t *testing.T, pod *inventory.Instance) chan error {
	t.Helper()
	waiting := make(chan error, 1)
	go func() {
		_, err := s.Connect(t.Context(), peerOf(pod), func() {})
		waiting <- err
	}()
	synctest.Wait()
	return waiting
}

// TestStopAnswersWhatIsQueued stops a Store that has not processed a call yet. The caller must not wait for ever.
func TestStopAnswersWhatIsQueued(t *testing.T) {
	entries := twoServices()
	h := newSyncedHarness(entries...)
	viewed := make(chan error, 1)
	h.store.run(func() { viewed <- nil })
	h.store.stop()
	if len(viewed) != 1 {
		t.Error("a call that was queued before the end is not answered")
	}
}

// TestRunRetriesCertificates lets the issuer fail for a while. The timers of the Store ask it again.
func TestRunRetriesCertificates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		entries := twoServices()
		client, _ := podsOf(entries)
		s := runStore(t, entries...)
		s.certificates.away = errors.New("the issuer is away")
		s.MarkSynced()
		stream := s.mustConnect(t, client)
		synctest.Wait()
		if contentOf(stream, resourcetype.Secrets, envoy.ServiceCertName) != nil {
			t.Error("the workload has a certificate though none is issued")
		}
		s.certificates.mu.Lock()
		s.certificates.away = nil
		s.certificates.mu.Unlock()
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if contentOf(stream, resourcetype.Secrets, envoy.ServiceCertName) == nil {
			t.Error("the workload has no certificate after the issuer is back")
		}
		_ = s.end()
	})
}

// TestRunSweeps checks what a Store does without changes: it ends streams of clients that do not read, and drops scopes that nobody uses.
func TestRunSweeps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		entries := twoServices()
		client, server := podsOf(entries)
		s := runStore(t, entries...)
		s.MarkSynced()
		s.mustConnect(t, server).Close()
		stream := s.mustConnect(t, client)
		requests, ended := make(chan *discovery.DeltaDiscoveryRequest), make(chan error, 1)
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			ended <- stream.Serve(ctx, clientOf(ctx, requests, func(*delta.Response) error { <-ctx.Done(); return ctx.Err() }))
		}()
		requests <- &discovery.DeltaDiscoveryRequest{TypeUrl: resourcetype.Clusters.URL()}
		time.Sleep(writeTimeout - sweepInterval)
		synctest.Wait()
		select {
		case <-stream.delta.Ended():
			t.Error("the stream of a client that does not read has ended before the timeout")
		default:
		}
		time.Sleep(3 * sweepInterval)
		synctest.Wait()
		if <-stream.delta.Ended(); !errors.Is(stream.delta.Cause(), ErrBlocked) {
			t.Errorf("a client that does not read has the error %v, want %v", stream.delta.Cause(), ErrBlocked)
		}
		cancel()
		<-ended
		stream.Close()
		time.Sleep(idleTime + 2*sweepInterval)
		synctest.Wait()
		_ = s.end()
		if left := len(s.scopes); left != 0 {
			t.Errorf("%d scopes without streams are left after %v", left, idleTime)
		}
	})
}
