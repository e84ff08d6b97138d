package scope_test

import (
	"fmt"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
	. "github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// TestConnectionRoutesOfSidecarsAreBounded checks that the ports of a Service and the hostnames of TLSRoutes do not multiply without a limit. Connections
// beyond it are closed, and the routes are recorded.
func TestConnectionRoutesOfSidecarsAreBounded(t *testing.T) {
	const ports, hostnames = 60, 1000
	pod := Pod("a", "server", "server", "server", "10.0.0.1")
	service := Service("a", "server", "server", "10.96.0.1", 443, inventory.ProtocolTCP)
	service.Ports = nil
	for i := range uint16(ports) {
		service.Ports = append(service.Ports, inventory.Port{Number: 1000 + i, TargetPort: 1000 + i, Protocol: inventory.ProtocolTCP, TLS: true})
	}
	route := &catalog.HTTPRoute{Kind: entity.KindTLSRoute, Name: Name("a", "r"), Parents: []catalog.RouteParent{{Service: service.Name}}}
	for i := range hostnames {
		route.Hostnames = append(route.Hostnames, fmt.Sprintf("h%04d.example.com", i))
	}
	route.Rules = []catalog.HTTPRouteRule{{Backends: []catalog.RouteBackend{{Service: service.Name, Port: 1000, Weight: 1}, {Service: Name("a", "none"), Port: 1, Weight: 2}}}}
	view := Apply(&catalog.Settings{Permissive: true}, &catalog.Namespace{Name: "a", Monitored: true}, &catalog.Namespace{Name: "b", Monitored: true}, pod, service, Slice(service.Name, pod), route).View()
	for client, want := range map[string]int{"a": authz.MaxRoutes, "b": authz.MaxCrossNamespaceRoutes} {
		s := scope.Build(view, trustDomain, scope.Key{Identity: identity.ServiceAccount{Namespace: client, Name: "client"}})
		names := 0
		for _, out := range s.Outbound {
			if !out.Routed || len(out.Backends) > 0 {
				t.Errorf("a client of %s: port %d is not routed: %+v", client, out.Port, out.Backends)
			}
			for _, r := range out.ConnectionRoutes {
				names += len(r.ServerNames)
				if len(r.Backends) != 2 || r.Backends[1] != (scope.Backend{Weight: 2}) {
					t.Errorf("the backends are %+v", r.Backends)
				}
			}
		}
		if len(s.Outbound) != ports || names > want || names < want-2*hostnames {
			t.Errorf("a client of %s has %d ports with %d server names, want at most %d", client, len(s.Outbound), names, want)
		}
		if len(s.Limited) != 1 || s.Limited[0] != route.Ref() {
			t.Errorf("a client of %s: the limited policies are %v", client, s.Limited)
		}
	}
}

// TestConsumerConnectionRoutes checks that clients of a namespace with a TCPRoute for a Service of another one do not use shared destinations.
func TestConsumerConnectionRoutes(t *testing.T) {
	route := &catalog.HTTPRoute{Kind: entity.KindGatewayTCPRoute, Name: Name("b", "r"), Parents: []catalog.RouteParent{{Service: Name("a", "server")}}, Rules: []catalog.HTTPRouteRule{{}}}
	c := Apply(&catalog.Settings{Permissive: true}, &catalog.Namespace{Name: "a", Monitored: true}, &catalog.Namespace{Name: "b", Monitored: true}, route)
	for client, want := range map[string]bool{"a": true, "b": false} {
		if got := scope.UsesSharedDestinations(c.View(), identity.ServiceAccount{Namespace: client, Name: "client"}); got != want {
			t.Errorf("clients of %s use shared destinations: %t, want %t", client, got, want)
		}
	}
}
