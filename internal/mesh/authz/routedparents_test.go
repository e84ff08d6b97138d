package authz_test

import (
	"testing"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	. "github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// TestFurtherParentPermitsNoBackend checks routes whose second parent is a Service of another namespace, on a port that does not exist. Requests to the first
// parent reach that Service only with a ReferenceGrant of its namespace, whoever sends them: otherwise a namespace could send the requests of others to
// Services of third namespaces, on paths of its choice and with the identity of the clients.
func TestFurtherParentPermitsNoBackend(t *testing.T) {
	vault := Name("bank", "vault")
	grant := func(kind, name string) *catalog.ReferenceGrant {
		return &catalog.ReferenceGrant{
			Name: Name("bank", "g"), From: []catalog.GrantedReferrer{{Group: "gateway.networking.k8s.io", Kind: kind, Namespace: "shop"}},
			To: []catalog.GrantedObject{{Kind: "Service", Name: name}},
		}
	}
	route := func(namespace string) *catalog.HTTPRoute {
		r := routeTo(namespace, "r", "/", vault)
		r.Parents = append(r.Parents, catalog.RouteParent{Service: vault, Port: 9})
		return r
	}
	for name, test := range map[string]struct {
		route  *catalog.HTTPRoute
		grant  *catalog.ReferenceGrant
		client string
		want   authz.Outcome
	}{
		"clients of a third namespace":            {route("shop"), nil, "other", authz.Misrouted},
		"clients of the route's namespace":        {route("shop"), nil, "shop", authz.Misrouted},
		"clients of the backend's namespace":      {route("shop"), nil, "bank", authz.Misrouted},
		"a route of the clients' namespace":       {route("other"), nil, "other", authz.Misrouted},
		"a grant for all Services":                {route("shop"), grant("HTTPRoute", ""), "other", authz.Allowed},
		"a grant for the Service":                 {route("shop"), grant("HTTPRoute", "vault"), "other", authz.Allowed},
		"a grant for another kind of route":       {route("shop"), grant("GRPCRoute", ""), "other", authz.Misrouted},
		"a grant for another Service":             {route("shop"), grant("HTTPRoute", "till"), "other", authz.Misrouted},
		"a route of the namespace of the backend": {route("bank"), nil, "bank", authz.Allowed},
	} {
		pod := Pod("bank", "vault-1", "vault", "vault", "10.0.0.9")
		entries := []catalog.Entry{
			&catalog.Namespace{Name: "bank", Monitored: true}, pod, Service("bank", "vault", "vault", "10.96.0.9", 80, inventory.ProtocolHTTP), Slice(vault, pod), test.route,
		}
		if test.grant != nil {
			entries = append(entries, test.grant)
		}
		v := routedMesh(entries...)
		got := authz.Decide(v, authz.Request{Source: SA(test.client, "c"), Service: Name("shop", "web"), Port: 80, Method: "GET", Path: "/"})
		if !got.Always(test.want) {
			t.Errorf("%s: %+v, want %s", name, got.Answers, test.want)
		}
	}
}

// TestFurtherParentPermitsNoConnection is the same for connections.
func TestFurtherParentPermitsNoConnection(t *testing.T) {
	for _, kind := range []entity.Kind{entity.KindGatewayTCPRoute, entity.KindTLSRoute} {
		route := connectionRoute(kind, "shop", "r", nil, Name("other", "far"))
		if kind == entity.KindTLSRoute {
			route.Hostnames = []string{"a.example"}
		}
		route.Parents = append(route.Parents, catalog.RouteParent{Service: Name("other", "far")})
		v := connectionMesh(route)
		for _, client := range []string{"shop", "other"} {
			got := authz.Decide(v, authz.Request{Source: SA(client, "c"), Service: Name("shop", "db"), Port: 5432, ServerName: "a.example"})
			if !got.Always(authz.Unavailable) {
				t.Errorf("%s of a client in %s: %+v, want %s", kind, client, got.Answers, authz.Unavailable)
			}
		}
	}
}
