package verdict

import (
	"net/netip"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	. "github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// TestConnectionRoutes_OfRealSidecars applies TCPRoutes and TLSRoutes under load, and checks which pods respond.
func TestConnectionRoutes_OfRealSidecars(t *testing.T) {
	t.Parallel()
	n := NewNetwork(t)
	service := func(i int, app string) *inventory.Service {
		s := Service("a", services[i].name.Name, app, virtualAddress(services[i].address).String(), 81, inventory.ProtocolTCP)
		s.Ports[0].TargetPort, s.Ports[0].TLS = echoPort, true
		return s
	}
	named := func(serverName string) Request {
		return Request{Pod: 3, To: netip.AddrPortFrom(virtualAddress(services[0].address), 81), ServerName: serverName}
	}
	route := func(kind entity.Kind, hostnames []string, backends ...catalog.RouteBackend) catalog.Change {
		return catalog.Set(&catalog.HTTPRoute{
			Kind: kind, Name: Name("a", "r"), Parents: []catalog.RouteParent{{Service: services[0].name, Port: 81}}, Hostnames: hostnames,
			Rules: []catalog.HTTPRouteRule{{Matches: []catalog.RouteMatch{{PathType: catalog.PathPrefix, Path: "/"}}, Backends: backends}},
		})
	}
	second := catalog.RouteBackend{Service: services[1].name, Port: 81, Weight: 1}
	none := catalog.RouteBackend{Service: Name("a", "none"), Port: 81, Weight: 1}
	names := []string{"x.example", "*.y.example"}
	for _, test := range []struct {
		name       string
		edit       catalog.Change
		serverName string
		want       []string
	}{
		{"a TCPRoute", route(entity.KindGatewayTCPRoute, nil, second), "x.example", []string{"p2:9000"}},
		{"plain text on a port with a TCPRoute", route(entity.KindGatewayTCPRoute, nil, second), "", []string{"p2:9000"}},
		{"a share that is closed", route(entity.KindGatewayTCPRoute, nil, second, none), "", []string{"p2:9000", closed}},
		{"no backend", route(entity.KindGatewayTCPRoute, nil, none), "", []string{closed}},
		{"a server name", route(entity.KindTLSRoute, names, second), "X.example", []string{"p2:9000"}},
		{"a wildcard", route(entity.KindTLSRoute, names, second), "a.b.y.example", []string{"p2:9000"}},
		{"another name", route(entity.KindTLSRoute, names, second), "y.example", []string{closed}},
		{"plain text", route(entity.KindTLSRoute, names, second), "", []string{closed}},
	} {
		w := Mesh(&catalog.Settings{Permissive: true}, service(0, "0"), service(1, "1"))
		n.Reset(t, w)
		n.Step(t, []catalog.Change{test.edit}, []Request{named(test.serverName)})
		expected := newOracle(n.State).expect(named(test.serverName))
		for _, seen := range test.want {
			if !expected.allows(seen) || len(expected.seen) != len(test.want) {
				t.Errorf("%s: %v is expected, want %v", test.name, expected, test.want)
			}
		}
	}
}
