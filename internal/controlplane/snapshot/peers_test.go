package snapshot

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// TestLookedUpGatewaysDelayNothing changes who connects to a peer, and what the peer offers. Sidecars request no endpoints of a cluster whose gateway they look up,
// so nothing may wait for them.
func TestLookedUpGatewaysDelayNothing(t *testing.T) {
	client := meshtest.Pod("a", "two", "two", "two", "10.0.1.2")
	cart := meshtest.Service("a", "cart", "", "10.96.0.10", 80, inventory.ProtocolHTTP)
	cart.Selector = nil
	through, direct := meshtest.Peer("east", "east.example"), meshtest.Peer("east", "east.example")
	direct.Direct = true
	long := meshtest.Peer("east", "east.example")
	for range 24 {
		long.TrustDomain = "long-label." + long.TrustDomain
	}
	entries := append([]catalog.Entry{
		&catalog.Settings{Namespace: "osm-system"}, &catalog.Namespace{Name: "a", Monitored: true}, client, accountOf(client), cart,
		meshtest.LeavingService("osm-system", "10.96.9.1"), through,
	}, meshtest.ImportOf("east", cart.Name, 80, meshtest.SA("shop", "cart"), client.Identity())...)
	h := newSyncedHarness(entries...)
	p := newFakeProxy(h, client)
	p.open(t)
	for i, peer := range []*catalog.Peer{through, direct, through, direct, long, direct} {
		h.apply(peer)
		other := meshtest.Service("a", "other", "", "10.96.0.11", uint16(1000+i), inventory.ProtocolHTTP)
		other.Selector = nil
		h.apply(append([]catalog.Entry{other}, meshtest.ImportOf("east", other.Name, uint16(1000+i), meshtest.SA("shop", "other"), client.Identity())...)...)
		p.sync(t)
		if name := fmt.Sprintf("outbound_a/other_%d", 1000+i); p.envoy.Listeners()[name] == nil {
			t.Fatalf("step %d: the sidecar has the listeners %v", i, slices.Sorted(maps.Keys(p.envoy.Listeners())))
		}
	}
}
