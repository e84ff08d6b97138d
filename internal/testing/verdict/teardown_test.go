package verdict

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
)

// TestTeardown_FailsNoRequest tears meshes down under a load of about 200 allowed requests a second. No request may fail while
// servers accept all clients, and while clients pass traffic through.
func TestTeardown_FailsNoRequest(t *testing.T) {
	n := NewNetwork(t)
	w := headless(flippingMesh())
	web, echo := webRequest("/a"), Request{Pod: 0}
	web.To, echo.To = netip.AddrPortFrom(podAddress(1), webPort), netip.AddrPortFrom(podAddress(2), echoPort)
	requests := []Request{web, echo}
	sent := 0
	for range 12 {
		for _, permissive := range []bool{false, true} {
			n.Reset(t, w.with([]catalog.Change{catalog.Set(&catalog.Settings{Permissive: permissive})}))
			for _, leaving := range []catalog.Teardown{catalog.TeardownOpen, catalog.TeardownPassthrough} {
				l := n.startLoad(requests)
				n.setTeardown(t, leaving)
				l.round()
				samples := l.end()
				sent += len(samples)
				for _, s := range samples {
					if !slices.Contains([]string{"p2:8080", "p3:9000"}, s.seen) {
						t.Errorf("permissive %t, on the way to %d: %s saw %q", permissive, leaving, requests[s.request], s.seen)
					}
				}
			}
			// Finally the sidecar passes connections through.
			passed := n.stats(n.pods[0], passedOn)
			n.send(web)
			if now := n.stats(n.pods[0], passedOn); now == passed {
				t.Errorf("permissive %t: finally connections are not passed through: %s", permissive, now)
			}
		}
	}
	t.Logf("%d requests", sent)
}

// passedOn counts the connections that a sidecar passed through to their original destination.
const passedOn = "^cluster.passthrough-outbound.upstream_cx_total$"

// setTeardown sets the teardown mode of the mesh, and waits for all sidecars.
func (n *Network) setTeardown(t *testing.T, leaving catalog.Teardown) {
	t.Helper()
	settings := *n.State[entity.Ref{Kind: entity.KindSettings}].(*catalog.Settings)
	settings.Teardown = leaving
	n.Reset(t, n.State.with([]catalog.Change{catalog.Set(&settings)}))
}

// headless returns a mesh whose Services have no virtual addresses. Without kube-proxy, clients without a sidecar can only use
// addresses of pods.
func headless(w State) State {
	next := w.with(nil)
	for ref, entry := range w {
		if service, ok := entry.(*inventory.Service); ok {
			copied := *service
			copied.ClusterIPs = nil
			next[ref] = &copied
		}
	}
	return next
}
