package scope_test

import (
	"testing"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
	. "github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// TestFurtherParentPermitsNoMirror checks the sidecar of a client that may call shop/front and bank/vault. A route of shop copies requests to bank/vault, which
// is its second parent: without a ReferenceGrant of bank, the sidecar copies nothing.
func TestFurtherParentPermitsNoMirror(t *testing.T) {
	front, vault, client := Pod("shop", "front-1", "front", "front", "10.0.0.11"), Pod("bank", "vault-1", "vault", "vault", "10.0.0.12"), Pod("third", "c-1", "c", "client", "10.0.0.13")
	route := &catalog.HTTPRoute{
		Kind: entity.KindHTTPRoute, Name: Name("shop", "r"), Parents: []catalog.RouteParent{{Service: Name("shop", "front")}, {Service: Name("bank", "vault"), Port: 9}},
		Rules: []catalog.HTTPRouteRule{{
			Matches:  []catalog.RouteMatch{{PathType: catalog.PathPrefix, Path: "/"}},
			Backends: []catalog.RouteBackend{{Service: Name("shop", "front"), Port: 80, Weight: 1}},
			Filters:  catalog.RouteFilters{Mirrors: []catalog.RouteMirror{{Backend: catalog.RouteBackend{Service: Name("bank", "vault"), Port: 80}, Numerator: 100, Denominator: 100}}},
		}},
	}
	entries := []catalog.Entry{
		&catalog.Settings{Permissive: true}, &catalog.Namespace{Name: "shop", Monitored: true}, &catalog.Namespace{Name: "bank", Monitored: true},
		&catalog.Namespace{Name: "third", Monitored: true}, front, vault, client, route,
		Service("shop", "front", "front", "10.96.0.11", 80, inventory.ProtocolHTTP), Slice(Name("shop", "front"), front),
		Service("bank", "vault", "vault", "10.96.0.12", 80, inventory.ProtocolHTTP), Slice(Name("bank", "vault"), vault),
	}
	grant := &catalog.ReferenceGrant{
		Name: Name("bank", "g"), From: []catalog.GrantedReferrer{{Group: "gateway.networking.k8s.io", Kind: "HTTPRoute", Namespace: "shop"}}, To: []catalog.GrantedObject{{Kind: "Service"}},
	}
	for want, more := range map[int][]catalog.Entry{0: nil, 1: {grant}} {
		v := Apply(append(entries[:len(entries):len(entries)], more...)...).View()
		copies := 0
		for _, out := range scope.Build(v, trustDomain, scope.KeyFor(v, client)).Outbound {
			for i := range out.HTTPRoutes {
				copies += len(out.HTTPRoutes[i].Mirrors)
			}
		}
		if copies != want {
			t.Errorf("with %d ReferenceGrants, the sidecar has %d copies", len(more), copies)
		}
	}
}
