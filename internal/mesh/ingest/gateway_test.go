package ingest

import (
	"reflect"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
)

func gatewayObject(t *testing.T, text string) *unstructured.Unstructured {
	t.Helper()
	object := &unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte(text), &object.Object); err != nil {
		t.Fatal(err)
	}
	return object
}

// TestHTTPRouteDefaults reads a route that relies on the defaults of the Gateway API.
func TestHTTPRouteDefaults(t *testing.T) {
	route, found := HTTPRoute(gatewayObject(t, `
metadata: {name: r, namespace: shop}
spec:
  parentRefs: [{name: web}, {name: books, kind: Service, group: ""}]
  rules:
  - backendRefs: [{name: books, port: 80}]
`))
	want := &catalog.HTTPRoute{
		Name: catalog.Name{Namespace: "shop", Name: "r"}, Created: route.Created,
		Parents: []catalog.RouteParent{{Gateway: catalog.Name{Namespace: "shop", Name: "web"}}},
		Rules: []catalog.HTTPRouteRule{{
			Matches:  []catalog.RouteMatch{{PathType: "PathPrefix", Path: "/"}},
			Backends: []catalog.RouteBackend{{Service: catalog.Name{Namespace: "shop", Name: "books"}, Port: 80, Weight: 1}},
		}},
	}
	if len(found) > 0 || !reflect.DeepEqual(route, want) {
		t.Errorf("%+v %v\nwant %+v", route, found, want)
	}
}

// TestHTTPRouteOfServices ignores routes that no Gateway has.
func TestHTTPRouteOfServices(t *testing.T) {
	route, found := HTTPRoute(gatewayObject(t, "metadata: {name: r}\nspec: {parentRefs: [{name: books, kind: Service, group: \"\"}]}"))
	if route != nil || len(found) > 0 {
		t.Errorf("%+v %v, want nothing", route, found)
	}
}

// TestHTTPRouteUnsupported checks that what Envoy would reject, or the gateway lacks, is marked and not sent.
func TestHTTPRouteUnsupported(t *testing.T) {
	for name, test := range map[string]struct{ rule, want string }{
		"a filter":                    {"{filters: [{type: RequestMirror, requestMirror: {backendRef: {name: a}}}]}", "does not support the filter RequestMirror"},
		"a filter of a backend":       {"{backendRefs: [{name: a, port: 80, filters: [{type: RequestMirror}]}]}", "a backendRef has filters"},
		"the header host":             {"{filters: [{type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: Host, value: a}]}}]}", "cannot change the header Host"},
		"a pseudo header":             {"{filters: [{type: ResponseHeaderModifier, responseHeaderModifier: {remove: [':status']}}]}", "cannot change the header :status"},
		"an invalid path":             {"{matches: [{path: {type: RegularExpression, value: '/('}}]}", "it is not a regular expression of RE2"},
		"an expression that is large": {"{matches: [{headers: [{name: a, type: RegularExpression, value: '(a{1000}){10}'}]}]}", "cannot be used"},
		"nothing":                     {"{matches: [{path: {type: Exact, value: /a}, method: GET}]}", ""},
	} {
		t.Run(name, func(t *testing.T) {
			route, _ := HTTPRoute(gatewayObject(t, "metadata: {name: r, namespace: shop}\nspec: {parentRefs: [{name: web}], rules: ["+test.rule+"]}"))
			if got := route.Rules[0].Unsupported; !strings.Contains(got, test.want) || (got == "") != (test.want == "") {
				t.Errorf("%q, want %q", got, test.want)
			}
		})
	}
}

// TestMalformedGateway has no entry, but a problem.
func TestMalformedGateway(t *testing.T) {
	gateway, found := Gateway(gatewayObject(t, "kind: Gateway\nmetadata: {name: g}\nspec: {listeners: text}"))
	if gateway != nil || len(found) != 1 || found[0].Reason != ReasonMalformed {
		t.Errorf("%+v %v, want one problem", gateway, found)
	}
}
