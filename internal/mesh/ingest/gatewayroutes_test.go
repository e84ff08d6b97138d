package ingest

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/utils/ptr"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// TestHTTPRouteFields checks how each field of a route is read.
func TestHTTPRouteFields(t *testing.T) {
	books := catalog.RouteBackend{Service: entity.Name{Namespace: "shop", Name: "books"}, Port: 80, Weight: 1}
	everything := []catalog.RouteMatch{{PathType: "PathPrefix", Path: "/"}}
	for name, c := range map[string]struct {
		rule    string
		want    catalog.HTTPRouteRule
		ignored []string
	}{
		"matches": {
			"{matches: [{path: {type: Exact, value: /a(}, method: GET}, {headers: [{name: h, value: '('}, {name: r, type: RegularExpression, value: a.*}], queryParams: [{name: q, value: '('}, {name: s, type: RegularExpression, value: b.*}]}, {path: {type: RegularExpression, value: /c.*}}]}",
			catalog.HTTPRouteRule{Matches: []catalog.RouteMatch{
				{PathType: "Exact", Path: "/a(", Method: "GET"},
				{
					PathType: "PathPrefix", Path: "/",
					Headers: []catalog.ValueMatch{{Name: "h", Value: "("}, {Name: "r", Value: "a.*", Regex: true}},
					Query:   []catalog.ValueMatch{{Name: "q", Value: "("}, {Name: "s", Value: "b.*", Regex: true}},
				},
				{PathType: "RegularExpression", Path: "/c.*"},
			}},
			nil,
		},
		"an expression after a text": {
			"{matches: [{headers: [{name: h, value: a}], queryParams: [{name: q, type: RegularExpression, value: '('}]}]}",
			catalog.HTTPRouteRule{
				Unsupported: "the expression \"(\" of q cannot be used: it is not a regular expression of RE2: missing closing ): `(`",
			},
			nil,
		},
		"one of two paths is invalid": {
			"{matches: [{path: {type: RegularExpression, value: '/some/.**'}}, {path: {type: RegularExpression, value: '/a+'}}]}",
			catalog.HTTPRouteRule{
				Unsupported: "the path \"/some/.**\" cannot be used: it is not a regular expression of RE2: invalid nested repetition operator: `**`",
				Matches:     []catalog.RouteMatch{{PathType: "RegularExpression", Path: "/a+"}},
			},
			nil,
		},
		"a timeout":                 {"{timeouts: {request: 5s}}", catalog.HTTPRouteRule{Matches: everything, Timeout: 5 * time.Second}, nil},
		"a timeout of backends":     {"{timeouts: {backendRequest: 5s}}", catalog.HTTPRouteRule{Matches: everything, TryTimeout: 5 * time.Second}, nil},
		"a backend":                 {"{backendRefs: [{name: books, port: 80}]}", catalog.HTTPRouteRule{Matches: everything, Backends: []catalog.RouteBackend{books}}, nil},
		"a backend of another kind": {"{backendRefs: [{kind: Bucket, name: b}]}", catalog.HTTPRouteRule{Matches: everything, Backends: []catalog.RouteBackend{{Service: entity.Name{Namespace: "shop", Name: "b"}, Weight: 1, Unsupported: "Bucket b"}}}, nil},
		"a backend of another API":  {"{backendRefs: [{group: example.com, name: b}]}", catalog.HTTPRouteRule{Matches: everything, Backends: []catalog.RouteBackend{{Service: entity.Name{Namespace: "shop", Name: "b"}, Weight: 1, Unsupported: "Service b"}}}, nil},
		"a redirect": {
			"{filters: [{type: RequestRedirect, requestRedirect: {scheme: https, hostname: b.example.com, port: 8443, path: {type: ReplaceFullPath, replaceFullPath: /b}}}]}",
			catalog.HTTPRouteRule{Matches: everything, Filters: catalog.RouteFilters{Redirect: &catalog.RouteRedirect{Scheme: "https", Hostname: "b.example.com", Port: 8443, Status: 302, Path: &catalog.PathEdit{Value: "/b"}}}},
			nil,
		},
		"a redirect to the same path": {
			"{filters: [{type: RequestRedirect, requestRedirect: {scheme: https}}]}",
			catalog.HTTPRouteRule{Matches: everything, Filters: catalog.RouteFilters{Redirect: &catalog.RouteRedirect{Scheme: "https", Status: 302}}},
			nil,
		},
		"another host": {
			"{filters: [{type: URLRewrite, urlRewrite: {hostname: b.example.com, path: {type: ReplacePrefixMatch, replacePrefixMatch: /b}}}]}",
			catalog.HTTPRouteRule{Matches: everything, Filters: catalog.RouteFilters{Rewrite: &catalog.RouteRewrite{Hostname: "b.example.com", Path: &catalog.PathEdit{Prefix: true, Value: "/b"}}}},
			nil,
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, problems := HTTPRoute(smi(t, "{parentRefs: [{name: web}], hostnames: [a.example.com, b.example.com], rules: ["+c.rule+"]}"))
			expect(t, &catalog.HTTPRoute{
				Kind: entity.KindHTTPRoute,
				Name: x, Created: created, Parents: []catalog.RouteParent{{Gateway: entity.Name{Namespace: "shop", Name: "web"}}},
				Hostnames: []string{"a.example.com", "b.example.com"}, Rules: []catalog.HTTPRouteRule{c.want}, Ignored: c.ignored,
			}, got, nil, problems)
		})
	}
}

// TestRouteParent checks that only Gateways of the Gateway API are parents.
func TestRouteParent(t *testing.T) {
	for name, c := range map[string]struct {
		ref  gatewayv1.ParentReference
		want *catalog.RouteParent
	}{
		"a Gateway by default": {gatewayv1.ParentReference{Name: "web"}, &catalog.RouteParent{Gateway: entity.Name{Namespace: "shop", Name: "web"}}},
		"a listener of a Gateway elsewhere": {
			gatewayv1.ParentReference{Name: "web", Namespace: ptr.To[gatewayv1.Namespace]("ingress"), SectionName: ptr.To[gatewayv1.SectionName]("https"), Port: ptr.To[gatewayv1.PortNumber](443)},
			&catalog.RouteParent{Gateway: entity.Name{Namespace: "ingress", Name: "web"}, Section: "https", Port: 443},
		},
		"another kind": {gatewayv1.ParentReference{Name: "web", Kind: ptr.To[gatewayv1.Kind]("Service")}, nil},
		"another API":  {gatewayv1.ParentReference{Name: "web", Group: ptr.To[gatewayv1.Group]("example.com")}, nil},
	} {
		got, ok := RouteParent("shop", c.ref)
		if ok != (c.want != nil) {
			t.Errorf("%s is a parent: %t", name, ok)
			continue
		}
		if diff := cmp.Diff(ptr.Deref(c.want, catalog.RouteParent{}), got); diff != "" {
			t.Errorf("%s: (-want +got):\n%s", name, diff)
		}
	}
}

// TestReferenceGrant checks what a grant allows.
func TestReferenceGrant(t *testing.T) {
	got, problems := ReferenceGrant(smi(t, "{from: [{group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: front}], to: [{group: '', kind: Service}, {group: '', kind: Secret, name: tls}]}"))
	expect(t, &catalog.ReferenceGrant{
		Name: x, From: []catalog.GrantedReferrer{{Group: "gateway.networking.k8s.io", Kind: "HTTPRoute", Namespace: "front"}},
		To: []catalog.GrantedObject{{Kind: "Service"}, {Kind: "Secret", Name: "tls"}},
	}, got, nil, problems)
	got, problems = ReferenceGrant(smi(t, "{from: all}"))
	expect(t, nil, got, []string{"Malformed: cannot be read, so it has no effect"}, problems)
	route, problems := HTTPRoute(smi(t, "{parentRefs: all}"))
	expect(t, nil, route, []string{"Malformed: cannot be read, so it has no effect"}, problems)
}

// TestGatewayClassRestrictsNamespaces checks the annotation that the operator writes.
func TestGatewayClassRestrictsNamespaces(t *testing.T) {
	class := smi(t, "{controllerName: '"+names.GatewayController("osm")+"'}")
	class.SetAnnotations(map[string]string{"openservicemesh.io/allowed-namespaces": "infra,shop"})
	got, problems := GatewayClass("osm")(class)
	expect(t, &catalog.GatewayClass{Name: "x", Namespaces: []string{"infra", "shop"}}, got, nil, problems)
}
