package compare

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	. "github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// TestPlanOfConnectionRoutes edits routes of connections to a Service that one client may call. The plan has the connections whose result changes.
func TestPlanOfConnectionRoutes(t *testing.T) {
	route := func(kind entity.Kind, backend string, hostnames ...string) []catalog.Change {
		return []catalog.Change{catalog.Set(&catalog.HTTPRoute{
			Kind: kind, Name: Name("shop", "r"), Parents: []catalog.RouteParent{{Service: Name("shop", "db")}}, Hostnames: hostnames,
			Rules: []catalog.HTTPRouteRule{{Backends: []catalog.RouteBackend{{Service: Name("shop", backend), Port: 443, Weight: 1}}}},
		})}
	}
	tcp, tls := entity.KindGatewayTCPRoute, entity.KindTLSRoute
	for name, test := range map[string]struct {
		before, edit []catalog.Change
		want         []string
	}{
		"a TCPRoute that says the same": {nil, route(tcp, "db"), nil},
		"a TCPRoute to nobody":          {nil, route(tcp, "none"), []string{"connections: allowed -> denied: unavailable"}},
		"a TLSRoute":                    {nil, route(tls, "db", "a.example"), []string{"connections: allowed -> denied: unavailable"}},
		"a hostname that is removed": {
			route(tls, "db", "a.example", "b.example"), route(tls, "db", "a.example"), []string{"connections for b.example: allowed -> denied: unavailable"},
		},
		"a TLSRoute to nobody": {route(tls, "db", "a.example", "b.example"), route(tls, "none", "a.example", "b.example"), []string{"connections for a.example: allowed -> denied: unavailable"}},
	} {
		db, client := Pod("shop", "db-1", "db", "db", "10.0.0.1"), Pod("clients", "client-1", "client", "client", "10.0.0.2")
		service := Service("shop", "db", "db", "10.96.0.1", 443, inventory.ProtocolTCP)
		service.Ports[0].TLS = true
		before := Mesh{Catalog: catalog.New(), Entries: map[entity.Ref]catalog.Entry{}}
		for _, entry := range []catalog.Entry{
			&catalog.Settings{}, &catalog.Namespace{Name: "shop", Monitored: true}, &catalog.Namespace{Name: "clients", Monitored: true}, db, client, service, Slice(service.Name, db),
			&catalog.TCPRoute{Name: Name("shop", "all")}, Target("t", SA("shop", "db"), []catalog.TargetRule{TCP("all")}, SA("clients", "client")),
		} {
			apply(before, []catalog.Change{catalog.Set(entry)})
		}
		apply(before, test.before)
		var got []string
		for _, flow := range flowsOf(t, before, test.edit) {
			got = append(got, fmt.Sprintf("%s: %s -> %s: %s", flow.Request, flow.Before, flow.After, flow.Seen))
		}
		slices.Sort(got)
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
