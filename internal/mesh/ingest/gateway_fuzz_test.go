package ingest

import (
	"encoding/json"
	"regexp"
	"slices"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
)

// FuzzGateways reads any JSON document as every kind of the Gateway API: nothing panics, results are deterministic, and rules that the gateway uses
// are valid.
func FuzzGateways(f *testing.F) {
	for _, seed := range []string{
		`{}`, `null`, `{"spec":null}`, `{"spec":{"listeners":{}}}`, `{"spec":{"controllerName":5}}`,
		`{"metadata":{"namespace":"a","name":"b"},"spec":{"gatewayClassName":"osm","listeners":[{"name":"l","port":443,"protocol":"HTTPS","hostname":"*.a.b","tls":{"mode":"Terminate","certificateRefs":[{"name":"c","namespace":"d"},{"kind":"ConfigMap","name":"e"}]},"allowedRoutes":{"namespaces":{"from":"Selector","selector":{"matchLabels":{"a":"b"}}},"kinds":[{"kind":"HTTPRoute"}]}}]}}`,
		`{"metadata":{"namespace":"a","name":"b"},"spec":{"parentRefs":[{"name":"g","sectionName":"l","port":80}],"hostnames":["a.b","*.c"],"rules":[{"matches":[{"path":{"type":"RegularExpression","value":"/a.*"},"headers":[{"name":"x","type":"RegularExpression","value":"("}],"queryParams":[{"name":"q","value":"v"}],"method":"GET"}],"backendRefs":[{"name":"s","port":80,"weight":-1}]}]}}`,
		`{"metadata":{"namespace":"a"},"spec":{"parentRefs":[{"name":"g"}],"rules":[{"timeouts":{"request":"1e9s","backendRequest":"-1s"},"filters":[{"type":"RequestRedirect","requestRedirect":{"port":99999,"statusCode":200}},{"type":"URLRewrite","urlRewrite":{"path":{"type":"ReplacePrefixMatch","replacePrefixMatch":"%"}}},{"type":"RequestHeaderModifier","requestHeaderModifier":{"set":[{"name":"a b","value":"\n"}]}}]}]}}`,
		`{"metadata":{"namespace":"a"},"spec":{"from":[{"group":"gateway.networking.k8s.io","kind":"HTTPRoute","namespace":"b"}],"to":[{"group":"","kind":"Service"}]}}`,
	} {
		f.Add([]byte(seed))
	}
	class := GatewayClass("osm")
	f.Fuzz(func(t *testing.T, document []byte) {
		var fields map[string]any
		if json.Unmarshal(document, &fields) != nil {
			return // not an object that an API server returns
		}
		u := &unstructured.Unstructured{Object: fields}
		gateway, p1 := Gateway(u)
		route, p2 := HTTPRoute(u)
		grant, p3 := ReferenceGrant(u)
		class1, p4 := class(u)
		gateway2, q1 := Gateway(u)
		route2, q2 := HTTPRoute(u)
		grant2, q3 := ReferenceGrant(u)
		class2, q4 := class(u)
		sameTwice(t, connectionRoutes(u), connectionRoutes(u))
		sameTwice(t, []any{gateway, route, grant, class1, p1, p2, p3, p4}, []any{gateway2, route2, grant2, class2, q1, q2, q3, q4})
		sentences(t, p1, p2, p3, p4)
		if route != nil {
			checkHTTPRoute(t, route)
		}
	})
}

// connectionRoutes reads an object as a TLSRoute and as a TCPRoute. Each has one rule.
func connectionRoutes(u *unstructured.Unstructured) []any {
	tls, p1 := TLSRoute(u)
	tcp, p2 := GatewayTCPRoute(u)
	for _, route := range []*catalog.HTTPRoute{tls, tcp} {
		if route != nil && len(route.Rules) != 1 {
			panic("a route of connections has another number of rules than one")
		}
	}
	return []any{tls, p1, tcp, p2}
}

// checkHTTPRoute verifies the rules that the gateway uses.
func checkHTTPRoute(t *testing.T, route *catalog.HTTPRoute) {
	t.Helper()
	for _, rule := range route.Rules {
		if len(rule.Matches) == 0 && rule.Unsupported == "" {
			t.Errorf("a rule without a match: %+v", rule)
		}
		for _, b := range rule.Backends {
			if rule.Unsupported == "" && b.Weight > 1e6 {
				t.Errorf("an invalid weight: %+v", b)
			}
		}
		for _, m := range rule.Matches {
			checkExpressions(t, m)
		}
	}
}

func checkExpressions(t *testing.T, m catalog.RouteMatch) {
	t.Helper()
	values := append(slices.Clone(m.Headers), m.Query...)
	values = append(values, catalog.ValueMatch{Value: m.Path, Regex: m.PathType == "RegularExpression"})
	for _, v := range values {
		if !v.Regex {
			continue
		}
		if _, err := regexp.Compile(v.Value); err != nil {
			t.Errorf("an invalid expression in %+v: %v", m, err)
		}
	}
}
