package pods_test

import (
	"fmt"
	"net/http"
	"net/netip"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/internal/platform/names"
	"github.com/openservicemesh/osm-operator/internal/testing/eventually"
	"github.com/openservicemesh/osm-operator/internal/testing/pods"
)

// A request on an idle HTTP/2 connection to a peer that has vanished is answered after the timeout of a ping, and not after a quarter of an hour.
func TestVanishedPeerIsNoticed(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.configure(t, s.clientScope(), s.serverScope())
	const url = "http://10.96.0.1/books/1"
	if answer := s.client.GetHTTP2(t, url); answer.Status != http.StatusOK {
		t.Fatalf("the server answers %d, %v", answer.Status, answer.Err)
	}
	eventually.True(t, 10*time.Second, "the kernel of the server probes the client", func() bool { return keepaliveTimers(t, s.server) > 0 })
	s.network.Vanish(t, s.server)
	time.Sleep(11 * time.Second) // the connection between the sidecars is idle
	answer := s.client.GetHTTP2Within(t, url, 30*time.Second)
	if answer.Status != http.StatusServiceUnavailable && answer.Status != http.StatusBadGateway {
		t.Errorf("the answer is %d, %v, want 502 or 503", answer.Status, answer.Err)
	}
}

// All requests that wait for a connection to a peer that has vanished fail together. Each is repeated at another one.
func TestRequestsToVanishedPeerAreRepeated(t *testing.T) {
	t.Parallel()
	const requests = 60
	s := newShop(t)
	client := s.clientScope()
	s.server.Configure(t, s.serverScope())
	endpoints := s.endpoints(client)
	vanished := s.network.Bare(t)
	s.network.Vanish(t, vanished)
	for i := range endpoints {
		port := endpoints[i].Addresses[0].Port()
		endpoints[i].Addresses = append(slices.Clone(endpoints[i].Addresses), netip.AddrPortFrom(vanished.IP, port))
		endpoints[i].Workloads = nil
	}
	s.client.Configure(t, client, endpoints...)
	statuses := make(chan int, requests)
	for range requests {
		go func() { statuses <- s.client.GetHTTP2Within(t, "http://10.96.0.1/books/1", 20*time.Second).Status }()
	}
	failed := 0
	for range requests {
		if <-statuses != http.StatusOK {
			failed++
		}
	}
	if failed > 0 {
		t.Errorf("%d of %d requests failed", failed, requests)
	}
}

// keepaliveTimers is the number of connections that a sidecar has accepted from other pods and whose clients the kernel probes.
func keepaliveTimers(t *testing.T, pod *pods.Pod) int {
	t.Helper()
	const established, keepalive = "01", "02"
	table, err := pod.NS.Output(exec.Command("cat", "/proc/net/tcp"))
	if err != nil {
		t.Fatal(err)
	}
	count := 0
	for line := range strings.Lines(string(table)) {
		fields := strings.Fields(line) // sl local remote state queues timer:when ...
		if len(fields) > 5 && strings.HasSuffix(fields[1], fmt.Sprintf(":%04X", names.InboundPort)) && fields[3] == established && strings.HasPrefix(fields[5], keepalive+":") {
			count++
		}
	}
	return count
}
