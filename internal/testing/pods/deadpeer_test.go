package pods_test

import (
	"fmt"
	"net/http"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/internal/platform/names"
	"github.com/openservicemesh/osm-operator/internal/testing/eventually"
	"github.com/openservicemesh/osm-operator/internal/testing/pods"
)

// A request on an idle HTTP/2 connection to a peer that has vanished is answered after the timeout of a ping, and not after a quarter of an hour.
func TestVanishedPeerIsNoticed(t *testing.T) {
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
