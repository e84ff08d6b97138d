package catalog_test

import (
	"fmt"
	"runtime"
	"slices"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/catalog"
	. "github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// TestMemoryOfServicesThatShareAPod checks that the memory of many Services that select the same pod grows with their number, and not with its
// square. They needed 94 MiB.
func TestMemoryOfServicesThatShareAPod(t *testing.T) {
	const services = 1000
	entries := []catalog.Entry{&catalog.Namespace{Name: "a", Monitored: true}, Pod("a", "server", "server", "server", "10.0.0.1")}
	for i := range services {
		entries = append(entries, Service("a", fmt.Sprintf("s%04d", i), "server", fmt.Sprintf("10.96.%d.%d", i/250, i%250), 80, catalog.ProtocolHTTP))
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
	if others := c.View().Sharing(Name("a", "s0001")); len(others) != services-1 || !slices.IsSortedFunc(others, catalog.Name.Compare) {
		t.Errorf("%d Services share the pod", len(others))
	}
}
