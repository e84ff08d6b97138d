package xds

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
	"github.com/openservicemesh/osm-operator/internal/testing/eventually"
	"github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// TestRealEnvoyIsNotReadyWhileItRejects starts the real Envoy with a new control plane. Envoy rejects its routes until they are
// corrected.
func TestRealEnvoyIsNotReadyWhileItRejects(t *testing.T) {
	m := newMesh()
	broken := meshtest.Target("u", m.server.Identity(), []catalog.TargetRule{meshtest.HTTP("broken")}, m.client.Identity())
	r := startRealAt(t, controlOptions{settling: time.Hour}, m.server, append(m.entries(), meshtest.Group("a", "broken", "/("), broken)...)
	eventually.True(t, 15*time.Second, "the routes rejected", func() bool {
		proxies := r.control.store.Proxies()
		return len(proxies) == 1 && !proxies[0].IsUpToDate() && r.ask("/ready") == "LIVE\n"
	})
	// Envoy reports ready once it has rejected the routes, and no later event exists to wait for.
	for range 50 {
		if code := r.ready(); code != http.StatusServiceUnavailable {
			t.Fatalf("a sidecar that rejects its routes is asked whether it is ready, and answers %d, want 503", code)
		}
	}
	r.control.apply(meshtest.Group("a", "broken", "/mended"))
	eventually.True(t, 10*time.Second, "the sidecar ready", func() bool { return r.ready() == http.StatusOK })
	eventually.True(t, 5*time.Second, "nothing left of its not being so", func() bool {
		clusters := r.ask("/clusters")
		return clusters != "" && !strings.Contains(clusters, names.UnreadyCluster)
	})
	r.control.apply(meshtest.Group("a", "broken", "/("))
	eventually.True(t, 10*time.Second, "later routes rejected", func() bool { return !r.control.store.Proxies()[0].IsUpToDate() })
	if code := r.ready(); code != http.StatusOK {
		t.Errorf("a sidecar that works answers %d after it has rejected a change, want 200", code)
	}
}
