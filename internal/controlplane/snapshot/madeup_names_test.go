package snapshot

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"

	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/resourcetype"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
)

// TestMadeUpNamesAreNotKept has a pod that subscribes to made-up names of destinations and unsubscribes from them, for two minutes. Its stream keeps none of them,
// and neither does that of its next Envoy, which has the destination that exists.
func TestMadeUpNamesAreNotKept(t *testing.T) {
	for name, nameOf := range map[string]func(int) string{
		"addresses": func(i int) string {
			return scope.OnDemandName(netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, byte(i >> 16), byte(i >> 8), byte(i)}), 80))
		},
		"texts": func(i int) string { return fmt.Sprintf("on-demand|%s%d", strings.Repeat("x", 700), i) },
	} {
		for _, onDemand := range []bool{true, false} {
			entries, client := onDemandMesh()
			client.OnDemand = onDemand
			h := newSyncedHarness(entries...)
			p := newFakeProxy(h, client)
			p.stream = p.harness.connectEpoch(t, p.pod, 1)
			p.session = p.stream.delta.NewSession(p.stream.options())
			send := func(r *discovery.DeltaDiscoveryRequest) {
				r.TypeUrl = resourcetype.Clusters.URL()
				if err := p.session.Handle(r); err != nil {
					t.Fatal(err)
				}
			}
			for round := range 120 {
				names := make([]string, 512)
				for i := range names {
					names[i] = nameOf(round*len(names) + i)
				}
				send(&discovery.DeltaDiscoveryRequest{ResourceNamesSubscribe: names})
				if got := len(p.stream.delta.Destinations()); got > 512 {
					t.Fatalf("%s: %d names are kept", name, got)
				}
				send(&discovery.DeltaDiscoveryRequest{ResourceNamesUnsubscribe: names})
				h.now = h.now.Add(1001 * time.Millisecond)
			}
			if kept := p.stream.delta.Destinations(); len(kept) > 0 {
				t.Errorf("%s, on demand %t: %d names are kept", name, onDemand, len(kept))
			}
			send(&discovery.DeltaDiscoveryRequest{ResourceNamesSubscribe: []string{serverName, nameOf(1)}})
			next := p.harness.connectEpoch(t, p.pod, 2)
			session := next.delta.NewSession(next.options())
			if err := session.Handle(&discovery.DeltaDiscoveryRequest{TypeUrl: resourcetype.Clusters.URL()}); err != nil {
				t.Fatal(err)
			}
			if kept := next.delta.Destinations(); slices.ContainsFunc(kept, func(name string) bool { return name != serverName }) {
				t.Errorf("%s, on demand %t: the next Envoy has %q", name, onDemand, kept)
			}
		}
	}
}
