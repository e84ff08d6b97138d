package ingest

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
)

// TestGatewayListeners checks what a listener of a Gateway accepts: certificates, routes of which namespaces, and kinds of routes.
func TestGatewayListeners(t *testing.T) {
	const base = "gatewayClassName: osm\nlisteners: [{name: a, port: 443, protocol: HTTPS"
	listener := func(change func(*catalog.GatewayListener)) *catalog.GatewayListener {
		l := &catalog.GatewayListener{Name: "a", Port: 443, Protocol: "HTTPS", Terminate: true, From: "Same"}
		change(l)
		return l
	}
	for name, test := range map[string]struct {
		spec string
		want *catalog.GatewayListener
	}{
		"defaults":    {"", listener(func(*catalog.GatewayListener) {})},
		"passthrough": {", tls: {mode: Passthrough}", listener(func(l *catalog.GatewayListener) { l.Terminate = false })},
		"certificates": {", tls: {certificateRefs: [{name: one}, {kind: ConfigMap, name: none}, {group: example.com, name: other}, {namespace: certs, name: two}]}", listener(func(l *catalog.GatewayListener) {
			l.OtherCertificate = "Secret other"
			l.Certificates = []entity.Name{{Namespace: "shop", Name: "one"}, {Namespace: "certs", Name: "two"}}
		})},
		"all namespaces": {", allowedRoutes: {namespaces: {from: All}}", listener(func(l *catalog.GatewayListener) { l.From, l.Selector = "All", catalog.LabelSelector{{}} })},
		"selected namespaces": {
			", allowedRoutes: {namespaces: {from: Selector, selector: {matchLabels: {b: '2', a: '1'}, matchExpressions: [{key: c, operator: Exists}]}}}",
			listener(func(l *catalog.GatewayListener) {
				l.From = "Selector"
				l.Selector = catalog.LabelSelector{
					{Key: "a", Operator: "In", Values: []string{"1"}}, {Key: "b", Operator: "In", Values: []string{"2"}}, {Key: "c", Operator: "Exists"},
				}
			}),
		},
		"one kind": {", allowedRoutes: {kinds: [{kind: GRPCRoute}]}", listener(func(l *catalog.GatewayListener) { l.Kinds = []entity.Kind{entity.KindGRPCRoute} })},
		"other kinds and these": {
			", allowedRoutes: {kinds: [{kind: HTTPRoute}, {kind: GRPCRoute}, {kind: TCPRoute}]}",
			listener(func(l *catalog.GatewayListener) { l.Kinds, l.UnknownKinds = catalog.ListenerRouteKinds("HTTP"), true }),
		},
		"kinds of another protocol": {
			", allowedRoutes: {kinds: [{kind: TLSRoute}]}", listener(func(l *catalog.GatewayListener) { l.UnknownKinds = true }),
		},
		"a kind of a stranger": {", allowedRoutes: {kinds: [{kind: HTTPRoute, group: example.com}]}", listener(func(l *catalog.GatewayListener) { l.UnknownKinds = true })},
	} {
		gateway, found := Gateway(smi(t, base+test.spec+"}]"))
		if len(found) > 0 || len(gateway.Listeners) != 1 {
			t.Errorf("%s: %+v with the problems %v, want one listener", name, gateway, found)
			continue
		}
		if diff := cmp.Diff(*test.want, gateway.Listeners[0]); diff != "" {
			t.Errorf("%s: listener (-want +got):\n%s", name, diff)
		}
	}
}

// TestPathEdits checks how a filter changes the path of a request.
func TestPathEdits(t *testing.T) {
	text := func(s string) *string { return &s }
	for name, test := range map[string]struct {
		modifier *gatewayv1.HTTPPathModifier
		want     *catalog.PathEdit
	}{
		"none":              {nil, nil},
		"prefix":            {&gatewayv1.HTTPPathModifier{Type: gatewayv1.PrefixMatchHTTPPathModifier, ReplacePrefixMatch: text("/p")}, &catalog.PathEdit{Prefix: true, Value: "/p"}},
		"prefix by default": {&gatewayv1.HTTPPathModifier{Type: gatewayv1.PrefixMatchHTTPPathModifier}, &catalog.PathEdit{Prefix: true, Value: "/"}},
		"all":               {&gatewayv1.HTTPPathModifier{Type: gatewayv1.FullPathHTTPPathModifier, ReplaceFullPath: text("/f")}, &catalog.PathEdit{Value: "/f"}},
		"all by default":    {&gatewayv1.HTTPPathModifier{Type: gatewayv1.FullPathHTTPPathModifier}, &catalog.PathEdit{Value: "/"}},
	} {
		if diff := cmp.Diff(test.want, pathEdit(test.modifier)); diff != "" {
			t.Errorf("%s: (-want +got):\n%s", name, diff)
		}
	}
}

// TestListenersOfConnections reads listeners with the protocols TLS and TCP. A hostname means nothing to TCP.
func TestListenersOfConnections(t *testing.T) {
	gateway, found := Gateway(smi(t, "gatewayClassName: osm\nlisteners:\n"+
		"- {name: a, port: 443, protocol: TLS, hostname: a.test, tls: {mode: Passthrough}, allowedRoutes: {kinds: [{kind: TLSRoute}, {kind: TCPRoute}]}}\n"+
		"- {name: b, port: 3306, protocol: TCP, hostname: b.test, allowedRoutes: {kinds: [{kind: TCPRoute}]}}\n"))
	want := []catalog.GatewayListener{
		{Name: "a", Port: 443, Protocol: "TLS", Hostname: "a.test", From: "Same", Kinds: []entity.Kind{entity.KindTLSRoute}, UnknownKinds: true},
		{Name: "b", Port: 3306, Protocol: "TCP", Terminate: true, From: "Same", Kinds: []entity.Kind{entity.KindGatewayTCPRoute}},
	}
	if len(found) > 0 {
		t.Fatal(found)
	}
	if diff := cmp.Diff(want, gateway.Listeners); diff != "" {
		t.Errorf("listeners (-want +got):\n%s", diff)
	}
}
