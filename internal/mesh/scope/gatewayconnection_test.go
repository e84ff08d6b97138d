package scope_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// TestConnectionsOfGateways checks the backends of a TLSRoute at a Gateway: a TrafficSplit divides them, and without a policy for the gateway there are none. A
// hostname of the listener without a route keeps its connections from others.
func TestConnectionsOfGateways(t *testing.T) {
	in := func(name string) entity.Name { return entity.Name{Namespace: "shop", Name: name} }
	entries := []catalog.Entry{
		&catalog.Gateway{Name: in("web"), Class: "osm", Listeners: []catalog.GatewayListener{{Name: "a", Port: 80, Protocol: "TLS", Hostname: "*.a.test", From: "Same"}}},
		&catalog.HTTPRoute{Kind: entity.KindTLSRoute, Name: in("t"), Parents: []catalog.RouteParent{{Gateway: in("web")}}, Hostnames: []string{"one.a.test", "two.a.test"}, Rules: []catalog.HTTPRouteRule{{
			Matches: []catalog.RouteMatch{{PathType: "PathPrefix", Path: "/"}}, Backends: []catalog.RouteBackend{{Service: in("root"), Port: 443, Weight: 1}},
		}}},
		&catalog.TCPRoute{Name: in("any")},
	}
	for _, version := range []string{"root", "v1", "v2"} {
		entries = append(entries, &inventory.Service{
			Name: in(version), Selector: map[string]string{"app": version}, Ports: []inventory.Port{{Number: 443, TargetPort: 8443, Protocol: inventory.ProtocolTCP, TLS: true}},
		})
	}
	policy := &catalog.TrafficTarget{
		Name: in("t"), Destination: identity.ServiceAccount{Namespace: "shop", Name: "v1"}, Sources: []identity.ServiceAccount{{Namespace: "osm-system", Name: names.IngressGateway}},
		Rules: []catalog.TargetRule{{Kind: entity.KindTCPRoute, Name: "any"}},
	}
	c := gatewayMesh()
	for _, entry := range entries {
		c.Apply([]catalog.Change{catalog.Set(entry)})
	}
	for _, want := range []string{
		"[*.a.test] [], [one.a.test two.a.test] []",
		"[*.a.test] [], [one.a.test two.a.test] [{shop/v1|8443 900} {shop/v2|8443 100}]",
	} {
		var got []string
		l := gatewayScope(c).IngressGateway.Listeners[0]
		for _, route := range l.Connections {
			got = append(got, fmt.Sprintf("%s %s", route.ServerNames, backendsText(route.Backends)))
		}
		if l.Protocol != "TLS" || strings.Join(got, ", ") != want {
			t.Errorf("%s: %s, want %s", l.Protocol, strings.Join(got, ", "), want)
		}
		c.Apply([]catalog.Change{catalog.Set(policy)})
	}
}
