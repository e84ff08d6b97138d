package pods_test

import (
	"net/netip"
	"strings"
	"testing"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/testing/nstest"
	"github.com/openservicemesh/osm-operator/internal/testing/pods"
)

// TestIPv6Alone covers pods without an IPv4 address, as in clusters of the family IPv6.
func TestIPv6Alone(t *testing.T) {
	t.Parallel()
	n := pods.NewNetwork(t)
	n.IPv6Alone = true
	t.Run("mesh", func(t *testing.T) { testMeshOverIPv6(t, newShopIn(t, n)) })
	t.Run("probes", func(t *testing.T) { testProbesOverIPv6(t, n) })
	t.Run("egress", func(t *testing.T) { testEgressOverIPv6(t, newAbroadIn(t, n)) })
}

func testMeshOverIPv6(t *testing.T, s *shop) {
	client := s.clientScope()
	for i, address := range []string{"fd96::1", s.server.IP6.String(), "fd96::2", "fd96::3"} {
		client.Outbound[i].Addresses = []netip.Addr{netip.MustParseAddr(address)}
	}
	s.configure(t, client, s.serverScope())
	for path, want := range map[string]int{"/books/1": 200, "/admin": 403, "/other": 404} {
		if got := s.client.Get(t, "http://[fd96::1]"+path); got.Status != want || got.Err != nil {
			t.Errorf("GET %s = %+v, want %d", path, got, want)
		}
	}
	if got, err := s.client.Exchange(t, "[fd96::2]:3306", "hello\n"); got != "welcome\necho hello\n" {
		t.Errorf("TCP = %q, %v", got, err)
	}
	pod := s.server.IP6.String()
	if got := s.client.Get(t, "http://["+pod+"]:8081/any", "host: web-0.stateful"); got.Status != 200 {
		t.Errorf("a pod of a headless Service = %+v, want 200", got)
	}
	if got, err := s.client.Exchange(t, "[fd96::9]:80", "x\n"); got != "" || isTimeout(err) {
		t.Errorf("an unknown destination = %q, %v, want a closed connection", got, err)
	}
	for _, port := range []uint16{8080, 3306, 15003} {
		if got, err := s.stranger.Exchange(t, nstest.Address(pod, port), "GET /books/1 HTTP/1.0\r\n\r\n"); got != "" || isTimeout(err) {
			t.Errorf("plaintext to port %d = %q, %v, want a closed connection", port, got, err)
		}
	}
	if got := s.stranger.Get(t, "http://["+pod+"]:15010/stats/prometheus"); got.Status != 200 {
		t.Errorf("metrics = %d, %v", got.Status, got.Err)
	}
}

func testProbesOverIPv6(t *testing.T, n *pods.Network) {
	seen, p := injected(t, n, probedPod, configv1alpha2.MeshConfigSpec{})
	probes := probesOf(n.Bare(t), p, seen)
	expectProbes(t, probes, "no application runs", false)
	stop := runProbed(t, p, "127.0.0.1")
	expectProbes(t, probes, "all applications run", true)
	stop()
}

// testEgressOverIPv6 covers a host that has addresses of both families, of which the pod can reach only one.
func testEgressOverIPv6(t *testing.T, a *abroad) {
	a.dns.Set("api.example.com", netip.MustParseAddr("192.0.2.1"), a.named.IP6)
	a.configure(t, false, httpTo(authz.EgressHost{Host: "api.example.com", HTTP: true, TLS: true}),
		authz.EgressPort{Number: tlsPort, Hosts: []authz.EgressHost{{Host: "api.example.com", TLS: true}}})
	at := netip.MustParseAddr("2001:db8::1")
	if status, body := a.request(t, at, "api.example.com", "/"); status != 200 || !strings.HasPrefix(body, "named ") {
		t.Errorf("a request to a host of both families = %d %q", status, body)
	}
	if body := a.handshake(t, at, "api.example.com"); !strings.HasPrefix(body, "named ") {
		t.Errorf("a TLS connection to a host of both families = %q", body)
	}
	if status, _ := a.request(t, at, "other.example.com", "/"); status != 404 {
		t.Errorf("a request to a host that no Egress allows = %d, want 404", status)
	}
}
