package ingest

import (
	"reflect"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
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
		Kind: entity.KindHTTPRoute,
		Name: entity.Name{Namespace: "shop", Name: "r"}, Created: route.Created,
		Parents: []catalog.RouteParent{{Gateway: entity.Name{Namespace: "shop", Name: "web"}}, {Service: entity.Name{Namespace: "shop", Name: "books"}}},
		Rules: []catalog.HTTPRouteRule{{
			Matches:  []catalog.RouteMatch{{PathType: "PathPrefix", Path: "/"}},
			Backends: []catalog.RouteBackend{{Service: entity.Name{Namespace: "shop", Name: "books"}, Port: 80, Weight: 1}},
		}},
	}
	if len(found) > 0 || !reflect.DeepEqual(route, want) {
		t.Errorf("%+v %v\nwant %+v", route, found, want)
	}
}

// TestHTTPRouteOfOthers ignores routes whose parents are neither Gateways nor Services.
func TestHTTPRouteOfOthers(t *testing.T) {
	route, found := HTTPRoute(gatewayObject(t, "metadata: {name: r}\nspec: {parentRefs: [{name: books, kind: ServiceImport, group: multicluster.x-k8s.io}]}"))
	if route != nil || len(found) > 0 {
		t.Errorf("%+v %v, want nothing", route, found)
	}
}

// TestHTTPRouteOfServicePort reads a parent in another namespace with a port.
func TestHTTPRouteOfServicePort(t *testing.T) {
	route, found := HTTPRoute(gatewayObject(t, "metadata: {name: r, namespace: web}\nspec: {parentRefs: [{name: books, namespace: shop, kind: Service, group: \"\", port: 80}]}"))
	want := []catalog.RouteParent{{Service: entity.Name{Namespace: "shop", Name: "books"}, Port: 80}}
	if len(found) > 0 || route == nil || !reflect.DeepEqual(route.Parents, want) {
		t.Errorf("%+v %v, want %+v", route, found, want)
	}
}

// TestHTTPRouteUnsupported checks that what Envoy would reject, or the gateway lacks, is marked and not sent.
func TestHTTPRouteUnsupported(t *testing.T) {
	for name, test := range map[string]struct{ rule, want string }{
		"a filter":                     {"{filters: [{type: CORS, cors: {}}]}", "does not support the filter CORS"},
		"a filter of a backend":        {"{backendRefs: [{name: a, port: 80, filters: [{type: RequestMirror}]}]}", "does not support the filter RequestMirror"},
		"the header host":              {"{filters: [{type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: Host, value: a}]}}]}", `the header "Host" cannot be changed, because it belongs to the connection or to the message itself: use URLRewrite`},
		"a pseudo header":              {"{filters: [{type: ResponseHeaderModifier, responseHeaderModifier: {remove: [':status']}}]}", `the header ":status" cannot be changed, because it is a pseudo-header`},
		"an invalid path":              {"{matches: [{path: {type: RegularExpression, value: '/('}}]}", "it is not a regular expression of RE2"},
		"an expression that is large":  {"{matches: [{headers: [{name: a, type: RegularExpression, value: '(a{1000}){10}'}]}]}", "cannot be used"},
		"a line feed in a header":      {`{filters: [{type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: x, value: "a\nb"}]}}]}`, "the value of the header x has characters that HTTP does not permit"},
		"a null in an added header":    {`{filters: [{type: ResponseHeaderModifier, responseHeaderModifier: {add: [{name: x, value: "a\0b"}]}}]}`, "the value of the header x has characters that HTTP does not permit"},
		"the name of a header":         {`{filters: [{type: RequestHeaderModifier, requestHeaderModifier: {add: [{name: "a b", value: c}]}}]}`, `the header "a b" cannot be`},
		"the name of no header":        {`{filters: [{type: RequestHeaderModifier, requestHeaderModifier: {remove: ["a\nb"]}}]}`, `the header "a\nb" cannot be changed, because it is not the name of a header`},
		"a host to redirect to":        {`{filters: [{type: RequestRedirect, requestRedirect: {hostname: "a b"}}]}`, `"a b" is not a host name`},
		"a host with a line feed":      {`{filters: [{type: URLRewrite, urlRewrite: {hostname: "a\nb"}}]}`, `"a\nb" is not a host name`},
		"a path to redirect to":        {`{filters: [{type: RequestRedirect, requestRedirect: {path: {type: ReplaceFullPath, replaceFullPath: "/a\rb"}}}]}`, `the path "/a\rb" has characters that HTTP does not permit`},
		"another path":                 {`{filters: [{type: URLRewrite, urlRewrite: {path: {type: ReplacePrefixMatch, replacePrefixMatch: "/a\nb"}}}]}`, `the path "/a\nb" has characters that HTTP does not permit`},
		"a path after a redirect":      {`{filters: [{type: RequestRedirect, requestRedirect: {scheme: https}}, {type: URLRewrite, urlRewrite: {path: {type: ReplaceFullPath, replaceFullPath: "/a\nb"}}}]}`, `the path "/a\nb" has characters that HTTP does not permit`},
		"the second header":            {`{filters: [{type: RequestHeaderModifier, requestHeaderModifier: {add: [{name: a, value: b}, {name: "c d", value: e}]}}]}`, `the header "c d" cannot be changed, because it is not the name of a header`},
		"the second removed header":    {`{filters: [{type: RequestHeaderModifier, requestHeaderModifier: {remove: [a, "b c"]}}]}`, `the header "b c" cannot be changed, because it is not the name of a header`},
		"a path with a line feed":      {`{matches: [{path: {type: Exact, value: "/a\nb"}}]}`, `the path "/a\nb" cannot be matched`},
		"the name of a matched header": {`{matches: [{headers: [{name: "a b", value: c}]}]}`, `the header "a b" cannot be`},
		"a matched value":              {`{matches: [{headers: [{name: a, value: "b\nc"}]}]}`, "the value of the header a has characters that HTTP does not permit"},
		"a path with a query":          {"{matches: [{path: {type: PathPrefix, value: '/a?b'}}]}", `the path "/a?b" cannot be matched`},
		"a path without a slash":       {"{matches: [{path: {type: Exact, value: 'a'}}]}", `the path "a" cannot be matched`},
		"a control in an expression":   {`{matches: [{headers: [{name: a, type: RegularExpression, value: "b\x01"}]}]}`, ""},
		"nothing":                      {"{matches: [{path: {type: Exact, value: /a}, method: GET}]}", ""},
	} {
		t.Run(name, func(t *testing.T) {
			route, _ := HTTPRoute(gatewayObject(t, "metadata: {name: r, namespace: shop}\nspec: {parentRefs: [{name: web}], rules: ["+test.rule+"]}"))
			if got := route.Rules[0].Unsupported; !strings.Contains(got, test.want) || (got == "") != (test.want == "") {
				t.Errorf("%q, want %q", got, test.want)
			}
		})
	}
}

// TestInvalidHostnames checks that a route or Gateway with a host name that HTTP does not permit has no effect: without the name it would serve all hosts.
func TestInvalidHostnames(t *testing.T) {
	for _, hostname := range []string{`"a\nb"`, `"*"`, `"a b"`, `"*.*.example"`, `".example"`} {
		route, found := HTTPRoute(gatewayObject(t, "kind: HTTPRoute\nmetadata: {name: r, namespace: shop}\nspec: {parentRefs: [{name: web}], hostnames: [good.example, "+hostname+"]}"))
		if route != nil || len(found) != 1 || !strings.Contains(found[0].Message, "is not a host name") {
			t.Errorf("a route for %s: %+v %v, want a problem", hostname, route, found)
		}
		gateway, found := Gateway(gatewayObject(t, "kind: Gateway\nmetadata: {name: g}\nspec: {listeners: [{name: a, port: 80, protocol: HTTP, hostname: "+hostname+"}]}"))
		if gateway != nil || len(found) != 1 || !strings.Contains(found[0].Message, "is not a host name") {
			t.Errorf("a listener for %s: %+v %v, want a problem", hostname, gateway, found)
		}
	}
}

// TestMalformedGateway has no entry, but a problem.
func TestMalformedGateway(t *testing.T) {
	gateway, found := Gateway(gatewayObject(t, "kind: Gateway\nmetadata: {name: g}\nspec: {listeners: text}"))
	if gateway != nil || len(found) != 1 || found[0].Reason != ReasonMalformed {
		t.Errorf("%+v %v, want one problem", gateway, found)
	}
}
