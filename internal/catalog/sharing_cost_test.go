package catalog_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/internal/catalog"
	. "github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// TestCostOfServicesThatShareManyPodsIsLinear checks that a new Service of pods that many Services select does not delay the changes of other
// namespaces: the cost of Services and pods must not multiply.
func TestCostOfServicesThatShareManyPodsIsLinear(t *testing.T) {
	const size, factor = 50, 12
	small, large := fastestChange(size), fastestChange(size*factor)
	if large > small*factor*4 {
		t.Errorf("%v for %d Services and pods, and %v for %d times as many", small, size, large, factor)
	}
}

// fastestChange measures how long it takes to add and remove a Service of a number of pods that as many Services select.
func fastestChange(n int) time.Duration {
	entries := []catalog.Entry{&catalog.Namespace{Name: "a", Monitored: true}}
	for i := range n {
		entries = append(entries, Service("a", fmt.Sprintf("s%04d", i), "server", fmt.Sprintf("10.96.%d.%d", i/250, i%250), 80, catalog.ProtocolHTTP),
			Pod("a", fmt.Sprint("server-", i), "server", "server", fmt.Sprintf("10.97.%d.%d", i/250, i%250)))
	}
	c := Apply(entries...)
	another := Service("a", "another", "server", "10.95.0.1", 80, catalog.ProtocolHTTP)
	var best time.Duration
	for range 5 {
		began := time.Now()
		c.Apply([]catalog.Change{catalog.Set(another)})
		c.Apply([]catalog.Change{{Ref: another.Ref()}})
		if elapsed := time.Since(began); best == 0 || elapsed < best {
			best = elapsed
		}
	}
	return best
}
