package authz_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	. "github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// routedMesh has the Services shop/web, shop/new and other/far, each with one pod, and clients in shop and other. Everything is allowed, except requests
// to shop/new: these need the path /new.
func routedMesh(entries ...catalog.Entry) *catalog.View {
	old, young := Pod("shop", "web-1", "web", "web", "10.0.0.1"), Pod("shop", "new-1", "new", "new", "10.0.0.2")
	far := Pod("other", "far-1", "far", "far", "10.0.0.3")
	all := []catalog.Entry{
		&catalog.Settings{Permissive: true}, &catalog.Namespace{Name: "shop", Monitored: true}, &catalog.Namespace{Name: "other", Monitored: true}, old, young, far,
		Service("shop", "web", "web", "10.96.0.1", 80, inventory.ProtocolHTTP), Slice(Name("shop", "web"), old),
		Service("shop", "new", "new", "10.96.0.2", 80, inventory.ProtocolHTTP), Slice(Name("shop", "new"), young),
		Service("other", "far", "far", "10.96.0.3", 80, inventory.ProtocolHTTP), Slice(Name("other", "far"), far),
	}
	return Apply(append(all, entries...)...).View()
}

// routeTo sends requests with a prefix to a Service.
func routeTo(namespace, name, prefix string, backend entity.Name) *catalog.HTTPRoute {
	return &catalog.HTTPRoute{
		Kind: entity.KindHTTPRoute, Name: Name(namespace, name), Parents: []catalog.RouteParent{{Service: Name("shop", "web")}},
		Rules: []catalog.HTTPRouteRule{{
			Matches: []catalog.RouteMatch{{PathType: catalog.PathPrefix, Path: prefix}}, Backends: []catalog.RouteBackend{{Service: backend, Port: 80, Weight: 1}},
		}},
	}
}

func TestRoutesOfServices(t *testing.T) {
	toNew, toWeb := routeTo("shop", "new", "/new", Name("shop", "new")), routeTo("shop", "all", "/", Name("shop", "web"))
	far := routeTo("shop", "r", "/", Name("other", "far"))
	grant := &catalog.ReferenceGrant{
		Name: Name("other", "g"), From: []catalog.GrantedReferrer{{Group: "gateway.networking.k8s.io", Kind: "HTTPRoute", Namespace: "shop"}},
		To: []catalog.GrantedObject{{Kind: "Service"}},
	}
	onlyPort := routeTo("shop", "r", "/", Name("shop", "new"))
	onlyPort.Parents[0].Port = 81
	onlyName := routeTo("shop", "r", "/", Name("shop", "new"))
	onlyName.Parents[0].Section = "metrics"
	redirect := routeTo("shop", "r", "/", entity.Name{})
	redirect.Rules[0].Backends, redirect.Rules[0].Filters.Redirect = nil, &catalog.RouteRedirect{Status: 301}
	split := &catalog.TrafficSplit{Name: Name("shop", "s"), Root: Name("shop", "web"), Backends: []catalog.SplitBackend{{Service: Name("shop", "web"), Weight: 1}}}
	late := routeTo("shop", "a", "/new", Name("shop", "web"))
	late.Created = time.Unix(1, 0)
	for name, test := range map[string]struct {
		entries      []catalog.Entry
		client, path string
		want         authz.Outcome
		service      entity.Name
	}{
		"without routes":                                 {nil, "shop", "/new", authz.Allowed, Name("shop", "web")},
		"a match":                                        {[]catalog.Entry{toNew}, "shop", "/new/one", authz.Allowed, Name("shop", "new")},
		"prefixes end at a slash":                        {[]catalog.Entry{toNew}, "shop", "/newer", authz.NotFound, entity.Name{}},
		"no match":                                       {[]catalog.Entry{toNew}, "shop", "/", authz.NotFound, entity.Name{}},
		"clients of all namespaces":                      {[]catalog.Entry{toNew}, "other", "/new", authz.Allowed, Name("shop", "new")},
		"longer prefixes first":                          {[]catalog.Entry{toWeb, toNew}, "shop", "/new", authz.Allowed, Name("shop", "new")},
		"of equal matches, that of the oldest":           {[]catalog.Entry{late, toNew}, "shop", "/new", authz.Allowed, Name("shop", "new")},
		"routes replace splits":                          {[]catalog.Entry{split, toNew}, "shop", "/", authz.NotFound, entity.Name{}},
		"a route of the clients' namespace":              {[]catalog.Entry{toWeb, routeTo("other", "r", "/", Name("other", "far"))}, "other", "/", authz.Allowed, Name("other", "far")},
		"a route of another namespace":                   {[]catalog.Entry{toWeb, routeTo("other", "r", "/", Name("other", "far"))}, "shop", "/", authz.Allowed, Name("shop", "web")},
		"another namespace without a grant":              {[]catalog.Entry{far}, "shop", "/", authz.Misrouted, entity.Name{}},
		"another namespace with a grant":                 {[]catalog.Entry{far, grant}, "shop", "/", authz.Allowed, Name("other", "far")},
		"the parent itself, in another namespace":        {[]catalog.Entry{routeTo("other", "r", "/", Name("shop", "web"))}, "other", "/", authz.Allowed, Name("shop", "web")},
		"a backend that does not exist":                  {[]catalog.Entry{routeTo("shop", "r", "/", Name("shop", "none"))}, "shop", "/", authz.Misrouted, entity.Name{}},
		"a route of a port with another name":            {[]catalog.Entry{onlyName}, "shop", "/", authz.Allowed, Name("shop", "web")},
		"a route of another port":                        {[]catalog.Entry{onlyPort}, "shop", "/", authz.Allowed, Name("shop", "web")},
		"a redirect":                                     {[]catalog.Entry{redirect}, "shop", "/", authz.Redirected, entity.Name{}},
		"a route of a namespace that is not in the mesh": {[]catalog.Entry{routeTo("outside", "r", "/", Name("shop", "new"))}, "outside", "/", authz.Allowed, Name("shop", "web")},
	} {
		request := authz.Request{Source: identity.ServiceAccount{Namespace: test.client, Name: "c"}, Service: Name("shop", "web"), Port: 80, Method: "GET", Path: test.path}
		verdict := authz.Decide(routedMesh(test.entries...), request)
		if got := verdict.Answers[0]; len(verdict.Answers) != 1 || got.Outcome != test.want || got.Service != test.service {
			t.Errorf("%s: %+v, want %s at %s", name, verdict.Answers, test.want, test.service)
		}
	}
}

// TestServersAuthorizeEditedRequests checks that policies apply to the request as the filters of a route make it.
func TestServersAuthorizeEditedRequests(t *testing.T) {
	client := identity.ServiceAccount{Namespace: "shop", Name: "c"}
	route := routeTo("shop", "r", "/old", Name("shop", "new"))
	route.Rules[0].Filters = catalog.RouteFilters{
		Rewrite:       &catalog.RouteRewrite{Path: &catalog.PathEdit{Prefix: true, Value: "/"}},
		HeaderFilters: catalog.HeaderFilters{Request: catalog.HeaderEdits{Set: []catalog.HeaderValue{{Name: "Stage", Value: "one"}}, Remove: []string{"x"}}},
	}
	group := &catalog.HTTPRouteGroup{Name: Name("shop", "g"), Matches: []catalog.HTTPMatch{{PathRegex: "/new", Headers: []catalog.HeaderMatch{{Name: "stage", Regex: "one"}}}}}
	target := &catalog.TrafficTarget{
		Name: Name("shop", "t"), Destination: identity.ServiceAccount{Namespace: "shop", Name: "new"}, Sources: []identity.ServiceAccount{client},
		Rules: []catalog.TargetRule{{Kind: entity.KindHTTPRouteGroup, Name: "g"}},
	}
	v := routedMesh(route, group, target, &catalog.Settings{})
	for path, want := range map[string]authz.Outcome{"/old/new": authz.Allowed, "/old/other": authz.NotFound, "/new": authz.NotFound, "/old//new?q=1": authz.Allowed} {
		request := authz.Request{Source: client, Service: Name("shop", "web"), Port: 80, Method: "GET", Path: path, Headers: []authz.Header{{Name: "stage", Value: "two"}}}
		got := authz.Decide(v, request)
		if !got.Always(want) {
			t.Errorf("%s: %+v, want %s", path, got.Answers, want)
		}
		if edited := []authz.Header{{Name: "stage", Value: "one"}}; path == "/old/new" && !equalHeaders(got.Answers[0].Headers, edited) {
			t.Errorf("%s: the destination receives the headers %v, want %v", path, got.Answers[0].Headers, edited)
		}
	}
}

// equalHeaders compares headers, whose names have no case.
func equalHeaders(a, b []authz.Header) bool {
	return slices.EqualFunc(a, b, func(x, y authz.Header) bool { return strings.EqualFold(x.Name, y.Name) && x.Value == y.Value })
}
