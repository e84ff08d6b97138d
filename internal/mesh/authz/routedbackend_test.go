package authz_test

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	. "github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// TestResolveBackend checks why a route of shop cannot use a backend for requests to its parent other/far. A further parent needs a ReferenceGrant, and at the
// ingress gateway the parent itself does too.
func TestResolveBackend(t *testing.T) {
	called, further := Name("other", "far"), Name("other", "further")
	route := routeTo("shop", "r", "/", called)
	route.Parents = []catalog.RouteParent{{Service: called}, {Service: further}}
	for name, test := range map[string]struct {
		backend       catalog.RouteBackend
		want, granted authz.BackendProblem
	}{
		"a Service":                      {catalog.RouteBackend{Service: Name("shop", "new"), Port: 80}, "", ""},
		"no Service":                     {catalog.RouteBackend{Service: Name("shop", "none"), Port: 80}, authz.BackendNotFound, authz.BackendNotFound},
		"no such port":                   {catalog.RouteBackend{Service: Name("shop", "new"), Port: 81}, authz.BackendNotFound, authz.BackendNotFound},
		"another kind":                   {catalog.RouteBackend{Service: Name("shop", "new"), Port: 80, Unsupported: "a Secret"}, authz.InvalidKind, authz.InvalidKind},
		"a parent in another namespace":  {catalog.RouteBackend{Service: called, Port: 80}, "", authz.RefNotPermitted},
		"a further parent":               {catalog.RouteBackend{Service: further, Port: 80}, authz.RefNotPermitted, authz.RefNotPermitted},
		"a Service of another namespace": {catalog.RouteBackend{Service: Name("other", "near"), Port: 80}, authz.RefNotPermitted, authz.RefNotPermitted},
		"another kind, in another place": {catalog.RouteBackend{Service: Name("other", "near"), Unsupported: "a Secret"}, authz.InvalidKind, authz.InvalidKind},
		"another port of another parent": {catalog.RouteBackend{Service: called, Port: 81}, authz.BackendNotFound, authz.RefNotPermitted},
	} {
		backend, problem := authz.ResolveBackend(routedMesh(), called, route, test.backend)
		_, granted := authz.ResolveGranted(routedMesh(), route, test.backend)
		if problem != test.want || granted != test.granted {
			t.Errorf("%s: problems %q, at the ingress gateway %q, want %q, %q", name, problem, granted, test.want, test.granted)
		}
		if problem == "" && (backend.Service.Name != test.backend.Service || backend.Port.Number != test.backend.Port) {
			t.Errorf("%s: the backend is %+v", name, backend)
		}
	}
}

// TestRulesThatCannotBeUsed checks what sidecars answer where a route has no backend that receives requests.
func TestRulesThatCannotBeUsed(t *testing.T) {
	named := Service("shop", "named", "named", "10.96.0.9", 80, inventory.ProtocolHTTP)
	named.Ports[0].TargetPort, named.Ports[0].TargetName = 0, "web"
	unsupported := routeTo("shop", "r", "/", Name("shop", "new"))
	unsupported.Rules[0].Unsupported = "a filter of a plugin"
	for name, test := range map[string]struct {
		route   *catalog.HTTPRoute
		missing string
	}{
		"no container port is known": {routeTo("shop", "r", "/", named.Name), "backends of the HTTPRoute shop/r that exist and that it may use: see its status"},
		"a rule is not supported":    {unsupported, "a rule that sidecars support: a filter of a plugin"},
	} {
		verdict := authz.Decide(routedMesh(named, test.route), authz.Request{Source: SA("shop", "c"), Service: Name("shop", "web"), Port: 80, Method: "GET", Path: "/"})
		if got := verdict.Answers[0]; len(verdict.Answers) != 1 || got.Outcome != authz.Misrouted || got.Missing != test.missing {
			t.Errorf("%s: %+v, want status 500, missing %q", name, verdict.Answers, test.missing)
		}
	}
}

// TestFiltersOfBackends checks that a backend edits headers after its rule, and that other requests are unchanged.
func TestFiltersOfBackends(t *testing.T) {
	set := func(name, value string) catalog.HeaderFilters {
		return catalog.HeaderFilters{Request: catalog.HeaderEdits{Set: []catalog.HeaderValue{{Name: name, Value: value}}}}
	}
	ofRule, ofBackend := set("stage", "rule"), set("stage", "backend")
	sent := authz.Header{Name: "x", Value: "1"}
	for name, test := range map[string]struct {
		rule    catalog.HeaderFilters
		backend *catalog.HeaderFilters
		want    []authz.Header
	}{
		"none":           {catalog.HeaderFilters{}, nil, nil},
		"of the rule":    {ofRule, nil, []authz.Header{sent, {Name: "stage", Value: "rule"}}},
		"of the backend": {catalog.HeaderFilters{}, &ofBackend, []authz.Header{sent, {Name: "stage", Value: "backend"}}},
		"of both":        {ofRule, &ofBackend, []authz.Header{sent, {Name: "stage", Value: "backend"}}},
	} {
		route := routeTo("shop", "r", "/", Name("shop", "new"))
		route.Rules[0].Filters.HeaderFilters, route.Rules[0].Backends[0].Filters = test.rule, test.backend
		r := authz.Request{Source: SA("shop", "c"), Service: Name("shop", "web"), Port: 80, Method: "GET", Path: "/", Headers: []authz.Header{sent}}
		got := authz.Decide(routedMesh(route), r)
		if !got.Always(authz.Allowed) || !slices.Equal(got.Answers[0].Headers, test.want) || (got.Answers[0].Headers == nil) != (test.want == nil) {
			t.Errorf("%s: %+v, want the headers %v", name, got.Answers, test.want)
		}
	}
}

// TestRouteOfHeadlessService checks that requests go to the pod that the client chose only if the route changes nothing about their destination.
func TestRouteOfHeadlessService(t *testing.T) {
	one, two := Pod("shop", "db-1", "db", "one", "10.0.0.7"), Pod("shop", "db-2", "db", "two", "10.0.0.8")
	db := Service("shop", "db", "db", "", 80, inventory.ProtocolHTTP)
	db.Ports = append(db.Ports, inventory.Port{Number: 81, TargetPort: 81, Protocol: inventory.ProtocolHTTP})
	to := func(backends ...catalog.RouteBackend) *catalog.HTTPRoute {
		route := routeTo("shop", "r", "/", entity.Name{})
		route.Parents[0].Service, route.Rules[0].Backends = db.Name, backends
		return route
	}
	itself := catalog.RouteBackend{Service: db.Name, Port: 80, Weight: 1}
	for name, test := range map[string]struct {
		route *catalog.HTTPRoute
		want  []string
	}{
		"to itself":             {to(itself), []string{"allowed two"}},
		"to another port":       {to(catalog.RouteBackend{Service: db.Name, Port: 81, Weight: 1}), []string{"allowed one", "allowed two"}},
		"to another Service":    {to(catalog.RouteBackend{Service: Name("shop", "new"), Port: 80, Weight: 1}), []string{"allowed new"}},
		"after a missing one":   {to(catalog.RouteBackend{Service: Name("shop", "none"), Port: 80, Weight: 1}, itself), []string{"misrouted", "allowed one", "allowed two"}},
		"and to a further port": {to(itself, catalog.RouteBackend{Service: db.Name, Port: 81, Weight: 0}), []string{"allowed one", "allowed two"}},
	} {
		v := routedMesh(one, two, db, Slice(db.Name, one, two), test.route)
		r := authz.Request{Source: SA("shop", "c"), Service: db.Name, Port: 80, Pod: netip.MustParseAddr("10.0.0.8"), Method: "GET", Path: "/"}
		if diff := cmp.Diff(test.want, destinations(authz.Decide(v, r))); diff != "" {
			t.Errorf("a route %s (-want +got):\n%s", name, diff)
		}
	}
}

// TestServerNames checks that a hostname belongs to the oldest TLSRoute, and that a route without one has no rule.
func TestServerNames(t *testing.T) {
	db := Name("shop", "db")
	routes := []*catalog.HTTPRoute{
		connectionRoute(entity.KindTLSRoute, "shop", "a", []string{"a.example", "b.example"}, db), connectionRoute(entity.KindTLSRoute, "shop", "b", []string{"b.example"}, db),
		connectionRoute(entity.KindTLSRoute, "shop", "c", []string{"b.example", "c.example"}, db),
	}
	if got, want := fmt.Sprint(authz.ServerNames(routes)), "[[a.example b.example] [] [c.example]]"; got != want {
		t.Errorf("server names %s, want %s", got, want)
	}
	v := connectionMesh(routes[0], routes[1], routes[2])
	service := v.Service(db)
	var got []string
	for _, rule := range authz.RouteRules(v, "shop", service, service.Ports[0]) {
		got = append(got, fmt.Sprint(rule.Routed.Route.Name.Name, rule.Routed.ServerNames))
	}
	if diff := cmp.Diff([]string{"a[a.example b.example]", "c[c.example]", "a[]"}, got); diff != "" {
		t.Errorf("rules (-want +got):\n%s", diff)
	}
}

// TestRouteOfServiceWithoutPods checks that a client which may call nobody behind a Service or its route does not have the Service.
func TestRouteOfServiceWithoutPods(t *testing.T) {
	named := Service("shop", "named", "named", "10.96.0.9", 80, inventory.ProtocolHTTP)
	named.Ports[0].TargetPort, named.Ports[0].TargetName = 0, "web"
	route := routeTo("shop", "r", "/", Name("shop", "new"))
	route.Parents[0].Service = named.Name
	for permissive, want := range map[bool]authz.Outcome{true: authz.Allowed, false: authz.Refused} {
		v := routedMesh(named, route, &catalog.Settings{Permissive: permissive})
		got := authz.Decide(v, authz.Request{Source: SA("shop", "c"), Service: named.Name, Port: 80, Method: "GET", Path: "/"})
		if !got.Always(want) {
			t.Errorf("in a mesh that is permissive %t: %+v, want %s", permissive, got.Answers, want)
		}
	}
}
