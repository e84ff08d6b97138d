package pods_test

import (
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/testing/pods"
)

// losesTwo drops the first two packets of each connection to a pod. The third is sent after three seconds.
const losesTwo = `table inet distant {
  set connections { type ipv4_addr . inet_service; flags dynamic; timeout 1m; }
  chain input {
    type filter hook input priority -300
    tcp flags & (syn | ack) == syn update @connections { ip saddr . tcp sport limit rate over 1/hour burst 2 packets } accept
    tcp flags & (syn | ack) == syn drop
  }
}
`

// TestDistantDestinations connects to servers outside of the mesh whose connections take three seconds: by the address that the client chose, and by the name in
// a policy. A server of the mesh has two seconds.
func TestDistantDestinations(t *testing.T) {
	t.Parallel()
	a := newAbroad(t)
	for _, pod := range []*pods.Pod{a.named, a.other} {
		command := exec.Command("nft", "-f", "-")
		command.Stdin = strings.NewReader(losesTwo)
		if out, err := pod.NS.Output(command); err != nil {
			t.Fatalf("nft: %v: %s", err, out)
		}
	}
	// Otherwise newer kernels send a lost packet again after one second each.
	a.client.NS.Do(func() {
		if err := os.WriteFile("/proc/sys/net/ipv4/tcp_syn_linear_timeouts", []byte("0"), 0); err != nil && !os.IsNotExist(err) {
			t.Errorf("the kernel does not send packets as before: %v", err)
		}
	})
	greeted := func(at netip.Addr, want string) {
		t.Helper()
		began := time.Now()
		got := a.greeting(t, at)
		if took := time.Since(began); got != want || took < 2*time.Second {
			t.Errorf("%s is greeted by %q after %s, want %q after three seconds", at, got, took, want)
		}
	}
	a.configure(t, true)
	greeted(a.other.IP, "other")
	a.configure(t, false, authz.EgressPort{Number: bytesPort, Ranges: []authz.EgressRange{{Prefix: netip.PrefixFrom(a.other.IP, 32), Any: true}}},
		httpTo(authz.EgressHost{Host: "api.example.com", HTTP: true}))
	greeted(a.other.IP, "other")
	if status, body := a.request(t, a.other.IP, "api.example.com", "/"); status != http.StatusOK {
		t.Errorf("a request gets %d %q, want 200 from the named server", status, body)
	}
}
