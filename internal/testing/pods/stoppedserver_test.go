package pods_test

import (
	"net/http"
	"net/netip"
	"sync/atomic"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/mesh/policy/retry"
)

// TestApplicationThatHasStopped sends requests of all methods to two pods, one of which has a sidecar and no application any more.
func TestApplicationThatHasStopped(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.server.Configure(t, s.serverScope())
	stopped := s.network.Pod(t, "stopped")
	stopped.Configure(t, s.serverScope())
	client := leafClient(s)
	both := endpointsAt(client, stopped.IP)
	both[0].Addresses = append(both[0].Addresses, netip.AddrPortFrom(s.server.IP, 8081))
	s.client.Configure(t, client, both...)
	for i := range 40 {
		method := []string{http.MethodGet, http.MethodPost}[i%2]
		if got := s.client.Call(t, method, "http://10.96.0.9/"); got.Status != http.StatusOK {
			t.Errorf("the status of %s request %d is %d: %s", method, i, got.Status, got.Body)
		}
	}
}

// TestApplicationClaimsNotToHaveProcessed checks that an application cannot make clients repeat requests by the header of its sidecar.
func TestApplicationClaimsNotToHaveProcessed(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.server.Configure(t, s.serverScope())
	liar := s.network.Pod(t, "liar")
	var processed atomic.Int32
	liar.ServeHTTP(t, 8081, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		processed.Add(1)
		w.Header().Set(retry.NotProcessed, "1")
		w.WriteHeader(http.StatusServiceUnavailable)
	}))
	liar.Configure(t, s.serverScope())
	client := leafClient(s)
	both := endpointsAt(client, liar.IP)
	both[0].Addresses = append(both[0].Addresses, netip.AddrPortFrom(s.server.IP, 8081))
	s.client.Configure(t, client, both...)
	failed := int32(0)
	for range 20 {
		got := s.client.Call(t, http.MethodPost, "http://10.96.0.9/")
		if got.Status == http.StatusServiceUnavailable {
			failed++
		}
		if claim := got.Header.Get(retry.NotProcessed); claim != "" {
			t.Fatalf("the client receives the header %s: %s", retry.NotProcessed, claim)
		}
	}
	if failed == 0 || failed != processed.Load() {
		t.Errorf("%d requests failed, and the application has seen %d", failed, processed.Load())
	}
}
