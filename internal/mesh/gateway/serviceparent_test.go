package gateway_test

import (
	"cmp"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/gateway"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
)

// serviceRoute is a route of a namespace for the Service shop/web, with a backend.
func serviceRoute(namespace string, backend catalog.RouteBackend, edit func(*catalog.HTTPRoute)) *catalog.HTTPRoute {
	r := &catalog.HTTPRoute{
		Kind: entity.KindHTTPRoute, Name: entity.Name{Namespace: namespace, Name: "r"},
		Parents: []catalog.RouteParent{{Service: entity.Name{Namespace: shop, Name: "web"}}},
		Rules:   []catalog.HTTPRouteRule{{Matches: []catalog.RouteMatch{{PathType: "PathPrefix", Path: "/"}}, Backends: []catalog.RouteBackend{backend}}},
	}
	if edit != nil {
		edit(r)
	}
	return r
}

func TestServiceParents(t *testing.T) {
	books := catalog.RouteBackend{Service: entity.Name{Namespace: shop, Name: "books"}, Port: 80, Weight: 1}
	far := catalog.RouteBackend{Service: entity.Name{Namespace: other, Name: "books"}, Port: 80, Weight: 1}
	port := func(number uint16) func(*catalog.HTTPRoute) {
		return func(r *catalog.HTTPRoute) { r.Parents[0].Port = number }
	}
	grant := &catalog.ReferenceGrant{
		Name: entity.Name{Namespace: other, Name: "g"}, From: []catalog.GrantedReferrer{{Group: gateway.Group, Kind: "HTTPRoute", Namespace: shop}},
		To: []catalog.GrantedObject{{Kind: "Service"}},
	}
	for name, test := range map[string]struct {
		route                    *catalog.HTTPRoute
		grants                   bool
		accepted, resolved, text string
	}{
		"a producer":                       {serviceRoute(shop, books, nil), false, "Accepted", "ResolvedRefs", ""},
		"a consumer":                       {serviceRoute(other, far, nil), false, "Accepted", "ResolvedRefs", ""},
		"one port":                         {serviceRoute(shop, books, port(80)), false, "Accepted", "ResolvedRefs", ""},
		"a port that does not exist":       {serviceRoute(shop, books, port(81)), false, "NoMatchingParent", "ResolvedRefs", "The Service shop/web has no port 81."},
		"a port without HTTP":              {serviceRoute(shop, books, port(90)), false, "NoMatchingParent", "ResolvedRefs", "Port 90 of Service shop/web has the protocol tcp"},
		"a Service that does not exist":    {serviceRoute(shop, books, func(r *catalog.HTTPRoute) { r.Parents[0].Service.Name = "none" }), false, "NoMatchingParent", "ResolvedRefs", "There is no Service shop/none in the mesh."},
		"a Service without HTTP":           {serviceRoute(shop, books, func(r *catalog.HTTPRoute) { r.Parents[0].Service.Name = "data" }), false, "NoMatchingParent", "ResolvedRefs", "Port 90 of Service shop/data has the protocol tcp"},
		"a port by its name":               {serviceRoute(shop, books, func(r *catalog.HTTPRoute) { r.Parents[0].Section = "web" }), false, "Accepted", "ResolvedRefs", ""},
		"another name than that of a port": {serviceRoute(shop, books, func(r *catalog.HTTPRoute) { r.Parents[0].Section, r.Parents[0].Port = "web", 90 }), false, "NoMatchingParent", "ResolvedRefs", "no port with the name and number"},
		"another namespace":                {serviceRoute(shop, far, nil), false, "Accepted", "RefNotPermitted", "No ReferenceGrant in the namespace other permits HTTPRoutes of the namespace shop to use the Service books."},
		"another namespace with a grant":   {serviceRoute(shop, far, nil), true, "Accepted", "ResolvedRefs", ""},
		"a grant for another kind":         {serviceRoute(shop, far, func(r *catalog.HTTPRoute) { r.Kind = entity.KindGRPCRoute }), true, "Accepted", "RefNotPermitted", "permits GRPCRoutes of"},
		"a backend that does not exist":    {serviceRoute(shop, catalog.RouteBackend{Service: entity.Name{Namespace: shop, Name: "none"}, Port: 80}, nil), false, "Accepted", "BackendNotFound", "There is no Service shop/none"},
		"a backend's port":                 {serviceRoute(shop, catalog.RouteBackend{Service: books.Service, Port: 8080}, nil), false, "Accepted", "BackendNotFound", "has no port 8080"},
		"a mirror that does not exist": {serviceRoute(shop, books, func(r *catalog.HTTPRoute) {
			r.Rules[0].Filters.Mirrors = []catalog.RouteMirror{{Backend: catalog.RouteBackend{Service: entity.Name{Namespace: shop, Name: "copy"}, Port: 80}}}
		}), false, "Accepted", "BackendNotFound", "There is no Service shop/copy"},
		"another kind":                 {serviceRoute(shop, catalog.RouteBackend{Unsupported: "a Bucket"}, nil), false, "Accepted", "InvalidKind", "a Bucket"},
		"hostnames have no effect":     {serviceRoute(shop, books, func(r *catalog.HTTPRoute) { r.Hostnames = []string{"a.example"} }), false, "Accepted", "ResolvedRefs", "no effect: spec.hostnames"},
		"a rule that is not supported": {serviceRoute(shop, books, func(r *catalog.HTTPRoute) { r.Rules[0].Unsupported = "it mirrors" }), false, "UnsupportedValue", "ResolvedRefs", "answered with 500, because it mirrors"},
		"one rule of several is supported": {serviceRoute(shop, books, func(r *catalog.HTTPRoute) {
			r.Rules = append(r.Rules, catalog.HTTPRouteRule{Unsupported: "it mirrors", Matches: []catalog.RouteMatch{{PathType: catalog.PathPrefix, Path: "/"}}})
		}), false, "Accepted", "ResolvedRefs", "Some rules answer 500"},
	} {
		entries := []catalog.Entry{
			service(shop, "web", inventory.Port{Name: "web", Number: 80, Protocol: inventory.ProtocolHTTP}, inventory.Port{Number: 90, Protocol: inventory.ProtocolTCP}),
			service(shop, "data", inventory.Port{Number: 90, Protocol: inventory.ProtocolTCP}),
		}
		if test.grants {
			entries = append(entries, grant)
		}
		parents := gateway.ServiceParents(mesh(entries...), test.route)
		if len(parents) != 1 {
			t.Fatalf("%s: %d parents, want one", name, len(parents))
		}
		p := parents[0]
		if p.Accepted.Reason != test.accepted || p.ResolvedRefs.Reason != test.resolved || !strings.Contains(p.Accepted.Message+p.ResolvedRefs.Message, test.text) {
			t.Errorf("%s: %+v", name, p)
		}
		if p.Accepted.OK != (test.accepted == "Accepted") || p.ResolvedRefs.OK != (test.resolved == "ResolvedRefs") {
			t.Errorf("%s: the status does not fit its reason: %+v", name, p)
		}
	}
}

// TestParentsHaveAStatusOfTheirOwn checks a consumer route with two parents, and each of them as its backend: a backend needs a ReferenceGrant for requests to
// the other parent only.
func TestParentsHaveAStatusOfTheirOwn(t *testing.T) {
	web, data := entity.Name{Namespace: shop, Name: "web"}, entity.Name{Namespace: shop, Name: "data"}
	for _, backend := range []entity.Name{web, data} {
		for _, isMirror := range []bool{false, true} {
			ref := catalog.RouteBackend{Service: backend, Port: 80, Weight: 1}
			r := serviceRoute(other, ref, func(r *catalog.HTTPRoute) {
				r.Parents = []catalog.RouteParent{{Service: web}, {Service: data, Port: 9}}
			})
			if isMirror {
				r.Rules[0].Backends, r.Rules[0].Filters.Mirrors = nil, []catalog.RouteMirror{{Backend: ref}}
			}
			port := inventory.Port{Number: 80, Protocol: inventory.ProtocolHTTP}
			for _, p := range gateway.ServiceParents(mesh(service(shop, "web", port), service(shop, "data", port)), r) {
				if want := p.Parent.Service == backend; p.ResolvedRefs.OK != want || !want && p.ResolvedRefs.Reason != "RefNotPermitted" {
					t.Errorf("backend %s (mirror %t), parent %s: %+v", backend, isMirror, p.Parent.Service, p.ResolvedRefs)
				}
			}
		}
	}
}

// TestOnlyServicesAreServiceParents checks a route that has a Gateway too.
func TestOnlyServicesAreServiceParents(t *testing.T) {
	r := serviceRoute(shop, catalog.RouteBackend{}, func(r *catalog.HTTPRoute) {
		r.Parents = append([]catalog.RouteParent{{Gateway: entity.Name{Namespace: shop, Name: "web"}}}, r.Parents...)
	})
	if got := gateway.ServiceParents(mesh(), r); len(got) != 1 || got[0].Parent.Service.Name != "web" {
		t.Errorf("the parents are %+v", got)
	}
	if got := gateway.Resolve(mesh(gatewayOf("web", http("http", "")), r)).Routes; len(got) != 1 || len(got[0].Parents) != 1 {
		t.Errorf("the Gateway has %+v", got)
	}
}

func ofConnections(route *catalog.HTTPRoute) *catalog.HTTPRoute {
	route.Kind = entity.KindGatewayTCPRoute
	return route
}

func TestRoutesReplaceSplits(t *testing.T) {
	web := service(shop, "web", inventory.Port{Number: 80, Protocol: inventory.ProtocolHTTP}, inventory.Port{Number: 81, Protocol: inventory.ProtocolHTTP})
	mixed := service(shop, "web", inventory.Port{Name: "web", Number: 80, Protocol: inventory.ProtocolHTTP}, inventory.Port{Number: 90, Protocol: inventory.ProtocolTCP})
	named := func(name string, created int64, port uint16) *catalog.HTTPRoute {
		return serviceRoute(shop, catalog.RouteBackend{}, func(r *catalog.HTTPRoute) {
			r.Name.Name, r.Created, r.Parents[0].Port = name, time.Unix(created, 0), port
		})
	}
	for name, test := range map[string]struct {
		service *inventory.Service
		routes  []*catalog.HTTPRoute
		want    string
	}{
		"no route":              {web, nil, "none"},
		"all ports":             {web, []*catalog.HTTPRoute{named("a", 1, 0)}, "a [] everywhere"},
		"the oldest":            {web, []*catalog.HTTPRoute{named("a", 2, 0), named("b", 1, 0)}, "b [] everywhere"},
		"one port":              {web, []*catalog.HTTPRoute{named("a", 1, 81)}, "a [81]"},
		"a route for each port": {web, []*catalog.HTTPRoute{named("a", 1, 80), named("b", 1, 81)}, "a [80] b [81] everywhere"},
		"one of them older":     {web, []*catalog.HTTPRoute{named("a", 2, 0), named("b", 1, 81)}, "a [80] b [81] everywhere"},
		"a port without HTTP":   {mixed, []*catalog.HTTPRoute{named("a", 1, 90)}, "none"},
		"the HTTP ports":        {mixed, []*catalog.HTTPRoute{named("a", 1, 0)}, "a [80]"},
		"a TCPRoute":            {mixed, []*catalog.HTTPRoute{ofConnections(named("a", 1, 0))}, "a [90]"},
		"consumers":             {web, []*catalog.HTTPRoute{serviceRoute(other, catalog.RouteBackend{}, nil)}, "none"},
	} {
		entries := []catalog.Entry{test.service}
		for _, route := range test.routes {
			entries = append(entries, route)
		}
		var parts []string
		found, everywhere := gateway.SplitReplacements(mesh(entries...), test.service)
		for _, replacement := range found {
			parts = append(parts, fmt.Sprintf("%s %v", replacement.Route.Name.Name, replacement.Ports))
		}
		if everywhere {
			parts = append(parts, "everywhere")
		}
		if got := cmp.Or(strings.Join(parts, " "), "none"); got != test.want {
			t.Errorf("%s: %s, want %s", name, got, test.want)
		}
	}
}
