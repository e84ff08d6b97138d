package ingest

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
)

func routeYAML(rule string) string {
	return "metadata: {name: r, namespace: shop}\nspec:\n  parentRefs: [{name: books, kind: Service, group: \"\"}]\n  rules:\n  - " + rule
}

// TestRouteRuleParts reads what a rule says beside its matches.
func TestRouteRuleParts(t *testing.T) {
	books := entity.Name{Namespace: "shop", Name: "books"}
	backend := func(filters *catalog.HeaderFilters) catalog.RouteBackend {
		return catalog.RouteBackend{Service: books, Port: 80, Weight: 1, Filters: filters}
	}
	mirrored := func(numerator, denominator uint32) catalog.RouteFilters {
		return catalog.RouteFilters{Mirrors: []catalog.RouteMirror{{Backend: catalog.RouteBackend{Service: books, Port: 81}, Numerator: numerator, Denominator: denominator}}}
	}
	for rule, want := range map[string]catalog.HTTPRouteRule{
		`timeouts: {request: 2s, backendRequest: 500ms}`:    {Timeout: 2 * time.Second, TryTimeout: 500 * time.Millisecond},
		`retry: {attempts: 0, codes: [503]}`:                {Repeat: &catalog.RouteRetry{Never: true, Codes: []uint32{503}}},
		`retry: {attempts: 3, codes: [503], backoff: 10ms}`: {Repeat: &catalog.RouteRetry{Attempts: 3, Codes: []uint32{503}, Backoff: 10 * time.Millisecond}},
		`retry: {}`: {Repeat: &catalog.RouteRetry{}},
		`filters: [{type: RequestMirror, requestMirror: {backendRef: {name: books, port: 81}}}]`:                                           {Filters: mirrored(100, 100)},
		`filters: [{type: RequestMirror, requestMirror: {backendRef: {name: books, port: 81}, percent: 5}}]`:                               {Filters: mirrored(5, 100)},
		`filters: [{type: RequestMirror, requestMirror: {backendRef: {name: books, port: 81}, fraction: {numerator: 9, denominator: 7}}}]`: {Filters: mirrored(7, 7)},
		`backendRefs: [{name: books, port: 80, filters: [{type: RequestHeaderModifier, requestHeaderModifier: {remove: [x]}}]}]`: {
			Backends: []catalog.RouteBackend{backend(&catalog.HeaderFilters{Request: catalog.HeaderEdits{Remove: []string{"x"}}})},
		},
		`backendRefs: [{name: books, port: 80, filters: [{type: RequestMirror, requestMirror: {backendRef: {name: books, port: 80}}}]}]`: {
			Backends:    []catalog.RouteBackend{backend(&catalog.HeaderFilters{})},
			Unsupported: "the mesh supports only filters of headers in backendRefs: move others to the rule",
		},
		`backendRefs: [{name: books, port: 80, filters: [{type: RequestRedirect, requestRedirect: {scheme: https}}]}]`: {
			Backends:    []catalog.RouteBackend{backend(&catalog.HeaderFilters{})},
			Unsupported: "the mesh supports only filters of headers in backendRefs: move others to the rule",
		},
		`backendRefs: [{name: books, port: 80, filters: [{type: URLRewrite, urlRewrite: {hostname: a}}]}]`: {
			Backends:    []catalog.RouteBackend{backend(&catalog.HeaderFilters{})},
			Unsupported: "the mesh supports only filters of headers in backendRefs: move others to the rule",
		},
		`filters: [{type: ExtensionRef, extensionRef: {group: a, kind: B, name: c}}]`: {Unsupported: "the mesh does not support the filter ExtensionRef"},
	} {
		want.Matches = []catalog.RouteMatch{{PathType: catalog.PathPrefix, Path: "/"}}
		route, found := HTTPRoute(gatewayObject(t, routeYAML(rule)))
		if len(found) > 0 {
			t.Errorf("%s: %v", rule, found)
		} else if diff := cmp.Diff(want, route.Rules[0]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", rule, diff)
		}
	}
}

// TestGRPCMethodsArePaths reads the methods of a GRPCRoute.
func TestGRPCMethodsArePaths(t *testing.T) {
	for match, want := range map[string]catalog.RouteMatch{
		`{}`:                                  {PathType: catalog.PathPrefix, Path: "/"},
		`{method: {}}`:                        {PathType: catalog.PathPrefix, Path: "/"},
		`{method: {service: a.B, method: C}}`: {PathType: catalog.PathExact, Path: "/a.B/C"},
		`{method: {service: a.B}}`:            {PathType: catalog.PathPrefix, Path: "/a.B"},
		`{method: {method: C.d}}`:             {PathType: catalog.PathExpression, Path: `/[^/]+/C\.d`},
		`{method: {type: RegularExpression, service: "a|b"}}`:                   {PathType: catalog.PathExpression, Path: "/(?:a|b)/[^/]+"},
		`{method: {service: a.B, method: C}, headers: [{name: x, value: one}]}`: {PathType: catalog.PathExact, Path: "/a.B/C", Headers: []catalog.ValueMatch{{Name: "x", Value: "one"}}},
	} {
		route, found := GRPCRoute(gatewayObject(t, routeYAML("matches: ["+match+"]")))
		if len(found) > 0 || route == nil || route.Kind != entity.KindGRPCRoute {
			t.Errorf("%s: %+v %v", match, route, found)
		} else if diff := cmp.Diff([]catalog.RouteMatch{want}, route.Rules[0].Matches); diff != "" {
			t.Errorf("%s (-want +got):\n%s", match, diff)
		}
	}
}

// TestMalformedGRPCRoute has no entry, but a problem.
func TestMalformedGRPCRoute(t *testing.T) {
	route, found := GRPCRoute(gatewayObject(t, "metadata: {name: r}\nspec: {rules: text}"))
	if route != nil || len(found) != 1 || found[0].Reason != ReasonMalformed {
		t.Errorf("%+v %v, want one problem", route, found)
	}
}

// TestGRPCFilters reads filters of a rule and of a backend of a GRPCRoute.
func TestGRPCFilters(t *testing.T) {
	route, found := GRPCRoute(gatewayObject(t, routeYAML(`filters: [{type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: a, value: b}]}}]
    backendRefs: [{name: books, port: 80, weight: 3, filters: [{type: ResponseHeaderModifier, responseHeaderModifier: {remove: [c]}}]}]`)))
	if len(found) > 0 {
		t.Fatal(found)
	}
	want := catalog.HTTPRouteRule{
		Matches: []catalog.RouteMatch{{PathType: catalog.PathPrefix, Path: "/"}},
		Filters: catalog.RouteFilters{HeaderFilters: catalog.HeaderFilters{Request: catalog.HeaderEdits{Set: []catalog.HeaderValue{{Name: "a", Value: "b"}}}}},
		Backends: []catalog.RouteBackend{{
			Service: entity.Name{Namespace: "shop", Name: "books"}, Port: 80, Weight: 3,
			Filters: &catalog.HeaderFilters{Response: catalog.HeaderEdits{Remove: []string{"c"}}},
		}},
	}
	if diff := cmp.Diff(want, route.Rules[0]); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
