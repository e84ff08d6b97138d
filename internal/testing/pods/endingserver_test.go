package pods_test

import (
	"net/http"
	"net/netip"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
	"github.com/openservicemesh/osm-operator/internal/testing/pods"
)

// A sidecar of Open Service Mesh ends as soon as its pod is being deleted, and any sidecar can be killed. Unanswered requests without side effects are repeated at
// another pod then.
func TestRequestsOfASidecarThatEnds(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.server.Configure(t, s.serverScope())
	ending := s.network.Pod(t, "ending")
	held := make(chan struct{}, 2)
	ending.ServeHTTP(t, 8081, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		held <- struct{}{}
		<-r.Context().Done()
	}))
	ending.Configure(t, s.serverScope())
	client := leafClient(s)
	s.client.Configure(t, client, endpointsAt(client, ending.IP)...)
	answers := map[string]chan int{http.MethodGet: make(chan int, 1), http.MethodPost: make(chan int, 1)}
	for method, answer := range answers {
		go func() { answer <- s.client.Call(t, method, "http://10.96.0.9/").Status }()
	}
	for range answers {
		receive(t, held, "a request has not reached the pod")
	}
	both := endpointsAt(client, ending.IP)
	both[0].Addresses = append(both[0].Addresses, netip.AddrPortFrom(s.server.IP, 8081))
	s.client.Configure(t, client, both...)
	quit(t, ending)
	for method, want := range map[string]int{http.MethodGet: http.StatusOK, http.MethodPost: http.StatusServiceUnavailable} {
		if got := receive(t, answers[method], "a request is not answered"); got != want {
			t.Errorf("the status of a %s request is %d, want %d", method, got, want)
		}
	}
}

// leafClient is a client of the Service leaf.
func leafClient(s *shop) *scope.Scope {
	client := s.clientScope()
	client.Outbound = []scope.Outbound{{
		Service: leaf, Port: 80, Protocol: inventory.ProtocolHTTP, Addresses: []netip.Addr{netip.MustParseAddr("10.96.0.9")},
		Backends: []scope.Backend{{Cluster: scope.ClusterName(leaf, 8081), Weight: 100}},
	}}
	for _, c := range client.Clusters {
		if c.Service == leaf {
			client.Clusters = []scope.Cluster{c}
		}
	}
	return client
}

// quit ends the sidecar of a pod at once.
func quit(t *testing.T, pod *pods.Pod) {
	t.Helper()
	answer, err := pod.NS.HTTP().Post("http://127.0.0.1:15000/quitquitquit", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = answer.Body.Close()
}

func receive[T any](t *testing.T, from <-chan T, problem string) T {
	t.Helper()
	select {
	case value := <-from:
		return value
	case <-time.After(20 * time.Second):
		t.Fatal(problem)
		panic("unreachable")
	}
}
