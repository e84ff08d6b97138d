package catalog_test

import (
	"fmt"
	"maps"
	"runtime"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	. "github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// TestMemoryOfServicesThatShareAPod checks that the memory of many Services that select the same pod grows with their number, and not with its
// square. They needed 94 MiB.
func TestMemoryOfServicesThatShareAPod(t *testing.T) {
	const services = 1000
	entries := []catalog.Entry{&catalog.Namespace{Name: "a", Monitored: true}, Pod("a", "server", "server", "server", "10.0.0.1")}
	for i := range services {
		entries = append(entries, Service("a", fmt.Sprintf("s%04d", i), "server", fmt.Sprintf("10.96.%d.%d", i/250, i%250), 80, inventory.ProtocolHTTP))
	}
	heap := func() uint64 {
		var stats runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&stats)
		return stats.HeapAlloc
	}
	before := heap()
	c := Apply(entries...)
	if used := int64(heap()) - int64(before); used > 8<<20 {
		t.Errorf("%d Services need %d MiB", services, used>>20)
	}
	if others := c.View().Sharing(Name("a", "s0001")); len(others) != services-1 || !slices.IsSortedFunc(others, entity.Name.Compare) {
		t.Errorf("%d Services share the pod", len(others))
	}
}

// TestSharingAfterChanges changes Services and pods in random order, and compares the Services that share pods, and which of them are reported as
// affected, with a catalog that has the same entries from the beginning.
func TestSharingAfterChanges(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c, present := Apply(&catalog.Namespace{Name: "a", Monitored: true}), map[entity.Ref]catalog.Entry{}
		number, label := rapid.IntRange(0, 4), rapid.SampledFrom([]string{"x", "y"})
		for range rapid.IntRange(1, 30).Draw(t, "changes") {
			pod := Pod("a", fmt.Sprint("pod-", number.Draw(t, "pod")), label.Draw(t, "app"), "server", "10.0.0.1")
			pod.Labels["tier"] = label.Draw(t, "tier")
			var entry catalog.Entry = pod
			if rapid.Bool().Draw(t, "is a Service") {
				service := Service("a", fmt.Sprint("s", number.Draw(t, "service")), "", "10.96.0.1", 80, inventory.ProtocolHTTP)
				service.Selector = map[string]string{rapid.SampledFrom([]string{"app", "tier"}).Draw(t, "key"): label.Draw(t, "selected")}
				entry = service
			}
			change := catalog.Set(entry)
			present[entry.Ref()] = entry
			if rapid.Bool().Draw(t, "removed") {
				change = catalog.Change{Ref: entry.Ref()}
				delete(present, entry.Ref())
			}
			before := sharingOf(c)
			affected := c.Apply([]catalog.Change{change})
			fresh := Apply(append(slices.Collect(maps.Values(present)), &catalog.Namespace{Name: "a", Monitored: true})...)
			after := sharingOf(c)
			if want := sharingOf(fresh); !maps.Equal(after, want) {
				t.Fatalf("after %v: %v, want %v", change, after, want)
			}
			for name, others := range after {
				if others != before[name] && !slices.Contains(affected, entity.DepSharing.Of(name)) {
					t.Fatalf("%s shares pods with %s, and then %s, but is not affected", name, before[name], others)
				}
			}
		}
	})
}

// sharingOf returns the Services that share pods with each Service of the tests.
func sharingOf(c *catalog.Catalog) map[entity.Name]string {
	all := map[entity.Name]string{}
	for i := range 5 {
		name := Name("a", fmt.Sprint("s", i))
		all[name] = fmt.Sprint(c.View().Sharing(name))
	}
	return all
}
