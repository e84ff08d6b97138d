package compare

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	. "github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// TestPlanOfSecondService adds a Service with another protocol for the same container port. The plan names the port that it takes over, and nothing if its
// protocol is only assumed.
func TestPlanOfSecondService(t *testing.T) {
	db := Pod("shop", "db-1", "db", "db", "10.0.0.1")
	first := Service("shop", "db", "db", "10.96.0.1", 3306, inventory.ProtocolTCPServerFirst)
	for name, test := range map[string]struct {
		protocol inventory.Protocol
		assumed  bool
		want     []Protocol
	}{
		"declared HTTP": {inventory.ProtocolHTTP, false, []Protocol{{Port: "shop/db:3306", Client: "tcp-server-first", Server: "http", By: "shop/admin"}}},
		"assumed HTTP":  {inventory.ProtocolHTTP, true, []Protocol{{Port: "shop/admin:3306", Client: "http", Server: "tcp-server-first", By: "shop/db"}}},
		"the same":      {inventory.ProtocolTCPServerFirst, false, nil},
	} {
		before := Mesh{Catalog: catalog.New(), Entries: map[entity.Ref]catalog.Entry{}}
		for _, entry := range []catalog.Entry{&catalog.Settings{}, &catalog.Namespace{Name: "shop", Monitored: true, Permissive: new(true)}, db, first, Slice(first.Name, db)} {
			apply(before, []catalog.Change{catalog.Set(entry)})
		}
		second := Service("shop", "admin", "db", "10.96.0.2", 3306, test.protocol)
		second.Ports[0].Assumed = test.assumed
		edit := []catalog.Change{catalog.Set(second), catalog.Set(Slice(second.Name, db))}
		after := before.clone()
		apply(after, edit)
		if diff := cmp.Diff(test.want, compareProtocols(before.Catalog.View(), after.Catalog.View())); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if again := compareProtocols(after.Catalog.View(), after.Catalog.View()); again != nil {
			t.Errorf("%s: conflicts without an edit: %v", name, again)
		}
	}
}
