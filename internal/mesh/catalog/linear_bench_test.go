package catalog_test

import (
	"fmt"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/testing/cost"
	. "github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// BenchmarkLinearServicesOfManyPods measures that a new Service of pods that many Services select does not delay the changes of other
// namespaces: the cost of Services and pods must not multiply.
func BenchmarkLinearServicesOfManyPods(b *testing.B) {
	const size, factor = 50, 12
	another := Service("a", "another", "server", "10.95.0.1", 80, inventory.ProtocolHTTP)
	operation := func(n int) func() {
		entries := []catalog.Entry{&catalog.Namespace{Name: "a", Monitored: true}}
		for i := range n {
			entries = append(entries, Service("a", fmt.Sprintf("s%04d", i), "server", fmt.Sprintf("10.96.%d.%d", i/250, i%250), 80, inventory.ProtocolHTTP),
				Pod("a", fmt.Sprint("server-", i), "server", "server", fmt.Sprintf("10.97.%d.%d", i/250, i%250)))
		}
		c := Apply(entries...)
		return func() {
			c.Apply([]catalog.Change{catalog.Set(another)})
			c.Apply([]catalog.Change{{Ref: another.Ref()}})
		}
	}
	cost.Linear(b, factor, operation(size), operation(size*factor))
}
