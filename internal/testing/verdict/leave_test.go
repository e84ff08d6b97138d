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
	// Nobody stands for kube-proxy here, so that only the addresses of pods mean something to those without a sidecar.
	w := flippingMesh()
	for _, s := range services[:3] {
		headless := *w[catalog.Ref{Kind: catalog.KindService, Name: s.name}].(*catalog.Service)
		headless.ClusterIPs = nil
		w[headless.Ref()] = &headless
	}
	n.Reset(t, w)
	web, echo := webRequest("/a"), Request{Pod: 0}
	web.To, echo.To = netip.AddrPortFrom(podAddress(1), webPort), netip.AddrPortFrom(podAddress(2), echoPort)
	requests := []Request{web, echo}
	var samples []sample
	for _, leaving := range slices.Repeat([]catalog.Leaving{catalog.LeavingOpen, catalog.LeavingTransparent}, 25) {
		if leaving == catalog.LeavingOpen {
			n.Reset(t, w)
		}
		l := n.startLoad(requests)
		before := n.World
		n.World = before.with([]catalog.Change{catalog.Set(&catalog.Settings{RetryPolicies: true, Leaving: leaving})})
		n.control.apply(changes(before.entries(), n.World.entries()))
		if problem := n.settled(); problem != "" {
			t.Error(problem)
		}
		l.round()
		for _, s := range l.end() {
			if !slices.Contains([]string{"p1:8080", "p2:8080", "p3:8080", "p1:8081", "p2:8081", "p3:8081", "p1:9000", "p2:9000", "p3:9000"}, s.seen) {
				t.Errorf("on the way to %d %s saw %q", leaving, requests[s.request], s.seen)
			}
			samples = append(samples, s)
		}
	}
	t.Logf("%d requests", len(samples))
}
