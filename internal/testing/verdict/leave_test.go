package verdict

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/catalog"
)

// TestLeavingCostsNoRequest takes meshes apart while about 200 requests a second go through that their policies allow: who has a policy
// must not notice when whoever asks is let in as well, and when everything is sent as it is.
func TestLeavingCostsNoRequest(t *testing.T) {
	n := NewNetwork(t)
	w := headless(flippingMesh())
	web, echo := webRequest("/a"), Request{Pod: 0}
	web.To, echo.To = netip.AddrPortFrom(podAddress(1), webPort), netip.AddrPortFrom(podAddress(2), echoPort)
	requests := []Request{web, echo}
	sent := 0
	for range 12 {
		for _, permissive := range []bool{false, true} {
			n.Reset(t, w.with([]catalog.Change{catalog.Set(&catalog.Settings{Permissive: permissive})}))
			for _, leaving := range []catalog.Leaving{catalog.LeavingOpen, catalog.LeavingTransparent} {
				l := n.startLoad(requests)
				n.leave(t, leaving)
				l.round()
				samples := l.end()
				sent += len(samples)
				for _, s := range samples {
					if !slices.Contains([]string{"p2:8080", "p3:9000"}, s.seen) {
						t.Errorf("permissive %t, on the way to %d: %s saw %q", permissive, leaving, requests[s.request], s.seen)
					}
				}
			}
			// In the end the sidecar has got out of the way.
			passed := n.stats(n.pods[0], passedOn)
			n.ask(web)
			if now := n.stats(n.pods[0], passedOn); now == passed {
				t.Errorf("permissive %t: in the end requests are not sent as they are: %s", permissive, now)
			}
		}
	}
	t.Logf("%d requests", sent)
}

// passedOn are the connections that a sidecar has sent to where they were going.
const passedOn = "^cluster.passthrough-outbound.upstream_cx_total$"

// leave brings the mesh a step further on its way out, and waits until all sidecars know.
func (n *Network) leave(t *testing.T, leaving catalog.Leaving) {
	t.Helper()
	settings := *n.World[catalog.Ref{Kind: catalog.KindSettings}].(*catalog.Settings)
	settings.Leaving = leaving
	n.Reset(t, n.World.with([]catalog.Change{catalog.Set(&settings)}))
}

// headless is a mesh whose Services are reached by the addresses of their pods: nobody stands for kube-proxy in this network, so nothing
// else means anything to those without a sidecar.
func headless(w World) World {
	next := w.with(nil)
	for ref, entry := range w {
		if service, ok := entry.(*catalog.Service); ok {
			copied := *service
			copied.ClusterIPs = nil
			next[ref] = &copied
		}
	}
	return next
}
