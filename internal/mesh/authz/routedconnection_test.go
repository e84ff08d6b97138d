package authz_test

import (
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	. "github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// connectionRoute sends connections to the Service shop/db to backends on port 5432.
func connectionRoute(kind entity.Kind, namespace, name string, hostnames []string, backends ...entity.Name) *catalog.HTTPRoute {
	rule := catalog.HTTPRouteRule{Matches: []catalog.RouteMatch{{PathType: catalog.PathPrefix, Path: "/"}}}
	for _, backend := range backends {
		rule.Backends = append(rule.Backends, catalog.RouteBackend{Service: backend, Port: 5432, Weight: 1})
	}
	return &catalog.HTTPRoute{
		Kind: kind, Name: Name(namespace, name), Hostnames: hostnames, Rules: []catalog.HTTPRouteRule{rule}, Parents: []catalog.RouteParent{{Service: Name("shop", "db")}},
	}
}

// connectionMesh has the Services shop/db, shop/new and other/far, on whose port 5432 the application uses TLS. Everything is allowed.
func connectionMesh(entries ...catalog.Entry) *catalog.View {
	all := []catalog.Entry{&catalog.Settings{Permissive: true}, &catalog.Namespace{Name: "shop", Monitored: true}, &catalog.Namespace{Name: "other", Monitored: true}}
	for i, name := range []entity.Name{Name("shop", "db"), Name("shop", "new"), Name("other", "far")} {
		pod := Pod(name.Namespace, name.Name+"-1", name.Name, name.Name, "10.0.0."+string(rune('1'+i)))
		service := Service(name.Namespace, name.Name, name.Name, "10.96.0."+string(rune('1'+i)), 5432, inventory.ProtocolTCP)
		service.Ports[0].TLS = true
		all = append(all, pod, service, Slice(name, pod))
	}
	return Apply(append(all, entries...)...).View()
}

func TestRoutesOfConnections(t *testing.T) {
	tcp, tls := entity.KindGatewayTCPRoute, entity.KindTLSRoute
	db, young, far := Name("shop", "db"), Name("shop", "new"), Name("other", "far")
	toNew := connectionRoute(tcp, "shop", "new", nil, young)
	late := connectionRoute(tcp, "shop", "a", nil, db)
	late.Created = time.Unix(1, 0)
	named := connectionRoute(tls, "shop", "named", []string{"a.example"}, young)
	anyName := connectionRoute(tls, "shop", "any", []string{"*.example", "a.example"}, db)
	anyName.Created = time.Unix(1, 0)
	ofHTTP := routeTo("shop", "http", "/", young)
	ofHTTP.Parents[0].Service = db
	zero := connectionRoute(tcp, "shop", "zero", nil, young)
	zero.Rules[0].Backends[0].Weight = 0
	split := &catalog.TrafficSplit{Name: Name("shop", "s"), Root: db, Backends: []catalog.SplitBackend{{Service: db, Weight: 1}}}
	grant := func(kind string) catalog.Entry {
		return &catalog.ReferenceGrant{
			Name: Name("other", "g"), From: []catalog.GrantedReferrer{{Group: "gateway.networking.k8s.io", Kind: kind, Namespace: "shop"}}, To: []catalog.GrantedObject{{Kind: "Service"}},
		}
	}
	for name, test := range map[string]struct {
		entries            []catalog.Entry
		client, serverName string
		want               authz.Outcome
		service            entity.Name
	}{
		"without routes":                           {nil, "shop", "", authz.Allowed, db},
		"a TCPRoute":                               {[]catalog.Entry{toNew}, "other", "", authz.Allowed, young},
		"the oldest TCPRoute":                      {[]catalog.Entry{late, toNew}, "shop", "", authz.Allowed, young},
		"TCPRoutes replace splits":                 {[]catalog.Entry{split, toNew}, "shop", "", authz.Allowed, young},
		"HTTPRoutes do not apply":                  {[]catalog.Entry{ofHTTP}, "shop", "", authz.Allowed, db},
		"a route of the clients' namespace":        {[]catalog.Entry{toNew, connectionRoute(tcp, "other", "r", nil, far)}, "other", "", authz.Allowed, far},
		"a route of another namespace":             {[]catalog.Entry{connectionRoute(tcp, "other", "r", nil, far)}, "shop", "", authz.Allowed, db},
		"a backend without a grant":                {[]catalog.Entry{connectionRoute(tcp, "shop", "r", nil, far)}, "shop", "", authz.Unavailable, entity.Name{}},
		"a backend with a grant":                   {[]catalog.Entry{connectionRoute(tcp, "shop", "r", nil, far), grant("TCPRoute")}, "shop", "", authz.Allowed, far},
		"a backend with a grant for another kind":  {[]catalog.Entry{connectionRoute(tcp, "shop", "r", nil, far), grant("TLSRoute")}, "shop", "", authz.Unavailable, entity.Name{}},
		"no backends":                              {[]catalog.Entry{connectionRoute(tcp, "shop", "r", nil)}, "shop", "", authz.Unavailable, entity.Name{}},
		"no weight":                                {[]catalog.Entry{zero}, "shop", "", authz.Unavailable, entity.Name{}},
		"TLSRoutes replace TCPRoutes":              {[]catalog.Entry{toNew, anyName}, "shop", "b.example", authz.Allowed, db},
		"a server name":                            {[]catalog.Entry{named, anyName}, "shop", "A.Example", authz.Allowed, young},
		"a wildcard":                               {[]catalog.Entry{named, anyName}, "shop", "c.b.example", authz.Allowed, db},
		"another server name":                      {[]catalog.Entry{named, anyName}, "shop", "example", authz.Unavailable, entity.Name{}},
		"no server name":                           {[]catalog.Entry{named, anyName}, "shop", "", authz.Unavailable, entity.Name{}},
		"TCPRoutes of clients replace TLSRoutes":   {[]catalog.Entry{named, connectionRoute(tcp, "other", "r", nil, far)}, "other", "", authz.Allowed, far},
		"TLSRoutes apply only where TLS is spoken": {[]catalog.Entry{named, withoutTLS(db)}, "shop", "", authz.Allowed, db},
	} {
		request := authz.Request{Source: identity.ServiceAccount{Namespace: test.client, Name: "c"}, Service: db, Port: 5432, ServerName: test.serverName}
		verdict := authz.Decide(connectionMesh(test.entries...), request)
		if got := verdict.Answers[0]; len(verdict.Answers) != 1 || got.Outcome != test.want || got.Service != test.service {
			t.Errorf("%s: %+v, want %s at %s", name, verdict.Answers, test.want, test.service)
		}
	}
}

func withoutTLS(name entity.Name) *inventory.Service {
	return Service(name.Namespace, name.Name, name.Name, "10.96.0.1", 5432, inventory.ProtocolTCP)
}

// TestUnusableBackendsCloseTheirShare checks that the share of a backend that does not exist is closed, and that others get theirs. A backend that the
// client may not call is as in a TrafficSplit.
func TestUnusableBackendsCloseTheirShare(t *testing.T) {
	client := identity.ServiceAccount{Namespace: "shop", Name: "c"}
	route := connectionRoute(entity.KindGatewayTCPRoute, "shop", "r", nil, Name("shop", "new"), Name("shop", "none"))
	request := authz.Request{Source: client, Service: Name("shop", "db"), Port: 5432}
	verdict := authz.Decide(connectionMesh(route), request)
	if len(verdict.Answers) != 2 || !verdict.May(authz.Allowed) || !verdict.May(authz.Unavailable) || verdict.Answers[0].Route != "TCPRoute.gateway.networking.k8s.io shop/r" {
		t.Errorf("a backend that does not exist: %+v", verdict.Answers)
	}
	target := &catalog.TrafficTarget{
		Name: Name("shop", "t"), Destination: identity.ServiceAccount{Namespace: "shop", Name: "db"}, Sources: []identity.ServiceAccount{client},
		Rules: []catalog.TargetRule{{Kind: entity.KindTCPRoute, Name: "all"}},
	}
	policies := []catalog.Entry{&catalog.Settings{}, target, &catalog.TCPRoute{Name: Name("shop", "all")}}
	route = connectionRoute(entity.KindGatewayTCPRoute, "shop", "r", nil, Name("shop", "new"), Name("shop", "db"))
	verdict = authz.Decide(connectionMesh(append(policies, route)...), request)
	if len(verdict.Answers) != 2 || !verdict.May(authz.Allowed) || !verdict.May(authz.Unavailable) {
		t.Errorf("a backend without a TrafficTarget: %+v", verdict.Answers)
	}
}
