package snapshot

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/quarantine"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/resourcetype"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// BenchmarkVerdicts measures how long the Store's goroutine needs to examine a resource that sidecars of 250 identities reject, among 1,000 Services and 20
// TrafficSplits, and the longest time without a push.
func BenchmarkVerdicts(b *testing.B) {
	for _, test := range []struct {
		name     string
		onDemand bool
		kind     resourcetype.Type
		resource string
		hasCause bool
	}{
		{"cause", false, resourcetype.Listeners, "outbound_a/service-15_80", true}, // the last TrafficSplit that is tried
		{"no-cause", false, resourcetype.Listeners, "outbound_a/service-500_80", false},
		{"on-demand,cause", true, resourcetype.Routes, "rds-outbound.80", true},
		{"on-demand,no-cause", true, resourcetype.Clusters, "on-demand|10.96.1.244:80", false},
	} {
		b.Run(test.name, func(b *testing.B) {
			benchmarkVerdicts(b, test.onDemand, quarantine.RejectedResource{Type: test.kind, Name: test.resource}, test.hasCause)
		})
	}
}

func benchmarkVerdicts(b *testing.B, onDemand bool, rejected quarantine.RejectedResource, hasCause bool) {
	f := newFleetOf(250, 1000, onDemand)
	h := f.harness
	for i := range 20 {
		root := meshtest.Name("a", fmt.Sprintf("service-%d", 19-i))
		h.apply(&catalog.TrafficSplit{Name: root, Root: root, Backends: []catalog.SplitBackend{{Service: root, Weight: 1}, {Service: f.service, Weight: 1}}})
	}
	scopes := make([]*scopeNode, 0, len(h.store.scopes))
	for _, n := range h.store.scopes {
		scopes = append(scopes, n)
	}
	slices.SortFunc(scopes, func(a, b *scopeNode) int { return a.key.Identity.Compare(b.key.Identity) })
	content := scopes[0].shared.contents[rejected.Type][rejected.Name]
	if content == nil {
		b.Fatal("the resource does not exist")
	}
	rejected.Hash = content.Hash()
	h.clock = time.Now
	var longest time.Duration
	measure := func(f func()) {
		began := time.Now()
		f()
		longest = max(longest, time.Since(began))
	}
	b.ResetTimer()
	for range b.N {
		b.StopTimer()
		newest := meshtest.Service("a", "newest", "nothing", "10.97.0.1", 80, inventory.ProtocolHTTP)
		h.apply(newest) // nothing is known about the mesh
		h.remove(newest)
		h.timers = nil
		b.StartTimer()
		for _, n := range scopes {
			measure(func() {
				h.store.quarantine.HandleNACK(n.key, rejected, quarantine.Proxy{Pod: entity.Name(n.key.Identity)})
			})
		}
		for range 16 { // the pauses of examinations
			timers := h.timers
			h.timers = nil
			for _, f := range timers {
				f()
				measure(h.run)
			}
		}
		b.StopTimer()
		if count := len(h.store.Rejections()); (count == len(scopes)) != hasCause {
			b.Fatalf("%d scopes quarantine a policy", count)
		}
		for _, n := range scopes {
			for policy := range h.store.quarantine.Policies(n.key) {
				h.store.quarantine.Release(n.key, policy)
				h.store.rebuildScope(n)
			}
			h.store.quarantine.CloseScope(n.key)
		}
		h.fireTimers()
		b.StartTimer()
	}
	b.ReportMetric(float64(longest.Milliseconds()), "ms-longest")
}
