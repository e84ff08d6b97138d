package bootstrap

import (
	"strconv"
	"strings"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/testing/eventually"
)

// TestReadyOnlyWhenConfigured starts a sidecar without a control plane and waits for its first configuration.
func TestReadyOnlyWhenConfigured(t *testing.T) {
	s := startSidecar(t)
	eventually.True(t, timeout, "envoy runs", func() bool {
		_, body := get(s.pod, "http://127.0.0.1:15000/ready")
		return strings.Contains(body, "INITIALIZING")
	})
	if code := status(s.kubelet, readyURL); code != 0 {
		t.Errorf("without a control plane the sidecar answers %d, want refused", code)
	}

	ads, _ := serveADS(t, s.pod, s.authority, "ads.cluster.local")
	eventually.True(t, timeout, "the sidecar finds the control plane", func() bool { return ads.saw("token-1") })
	if code := status(s.kubelet, readyURL); code != 0 {
		t.Errorf("with a silent control plane the sidecar answers %d, want refused", code)
	}

	close(ads.answer)
	s.awaitReady(t)
	if code := status(s.kubelet, "http://[fd00:9::1]:15905/ready"); code != 200 {
		t.Errorf("over IPv6 the sidecar answers %d, want 200", code)
	}
	for _, path := range []string{"/", "/config_dump", "/ready/", "/quitquitquit"} {
		if code := status(s.kubelet, "http://10.9.0.1:15905"+path); code != 404 {
			t.Errorf("%s on the ready port answers %d, want 404: only /ready is open to the cluster", path, code)
		}
	}
	if code := status(s.kubelet, "http://10.9.0.1:15000/ready"); code != 0 {
		t.Errorf("the admin interface answers %d outside the pod, want refused", code)
	}
	eventually.True(t, timeout, "the sidecar offers to report load", func() bool {
		ads.mu.Lock()
		defer ads.mu.Unlock()
		return ads.loads > 0
	})
	if want := "7f7c1f0e-6a8d-4a52-9d0b-3f4c5b6a7d8e.sidecar.bookbuyer.bookbuyer-ns.cluster.local"; ads.nodes[0] != want {
		t.Errorf("the node ID is %q, want %q", ads.nodes[0], want)
	}
}

// TestTokenRotation replaces the token as the kubelet does and checks the next stream.
func TestTokenRotation(t *testing.T) {
	s := startSidecar(t)
	first, stop := serveADS(t, s.pod, s.authority, "ads.cluster.local")
	eventually.True(t, timeout, "a stream with the first token", func() bool { return first.saw("token-1") })
	s.mount(t, s.dirs.Token, "token", []byte("token-2"))
	stop()
	second, _ := serveADS(t, s.pod, s.authority, "ads.cluster.local")
	eventually.True(t, timeout, "a stream with the second token", func() bool { return second.saw("token-2") })
}

// TestTrustRotation changes the control plane's root, and then the trusted root.
func TestTrustRotation(t *testing.T) {
	s := startSidecar(t)
	first, stop := serveADS(t, s.pod, s.authority, "ads.cluster.local")
	eventually.True(t, timeout, "a stream", func() bool { return first.saw("token-1") })
	stop()
	other := newAuthority(t)
	second, _ := serveADS(t, s.pod, other, "ads.cluster.local")
	eventually.True(t, timeout, "the new root is refused", func() bool { return s.stat(t, "ssl.fail_verify_error") > 0 })
	if second.saw("token-1") {
		t.Error("the sidecar sent its token to an untrusted server")
	}
	s.mount(t, s.dirs.Trust, "ca.crt", append(s.authority.rootPEM, other.rootPEM...))
	eventually.True(t, timeout, "the new root is trusted", func() bool { return second.saw("token-1") })
}

// TestServerNameIsChecked uses a server certificate of the trusted root for another name.
func TestServerNameIsChecked(t *testing.T) {
	s := startSidecar(t)
	ads, _ := serveADS(t, s.pod, s.authority, "bookstore.bookstore.cluster.local")
	eventually.True(t, timeout, "the name is refused", func() bool { return s.stat(t, "ssl.fail_verify_san") > 0 })
	if ads.saw("token-1") {
		t.Error("the sidecar sent its token to a workload that impersonates the control plane")
	}
}

// TestStatsExcludeProbes reads the statistics that the sidecar serves to scrapers.
func TestStatsExcludeProbes(t *testing.T) {
	s := startSidecar(t)
	s.configure(t)
	_, body := get(s.pod, "http://127.0.0.1:15000/stats/prometheus")
	if !strings.Contains(body, `envoy_cluster_upstream_cx_total{envoy_cluster_name="osm-controller"}`) {
		t.Error("the connection to the control plane is missing from the statistics")
	}
	for _, line := range strings.Split(body, "\n") {
		if strings.Contains(line, "ready_cluster") || strings.Contains(line, "ready_listener") || strings.Contains(line, "15905") {
			t.Errorf("the sidecar's own readiness is counted as traffic: %s", line)
		}
	}
}

// stat reads one counter of the control plane's cluster.
func (s *sidecar) stat(t *testing.T, name string) int {
	t.Helper()
	_, body := get(s.pod, "http://127.0.0.1:15000/stats?filter=^cluster.osm-controller."+name+"$")
	value, err := strconv.Atoi(strings.TrimSpace(body[strings.LastIndex(body, ":")+1:]))
	if err != nil {
		return 0
	}
	return value
}
