package ingest

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/ptr"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
)

// TestConnectionRoutes reads a TCPRoute and a TLSRoute, whose names are compared in lower case.
func TestConnectionRoutes(t *testing.T) {
	const backends = `backendRefs: [{name: books, port: 80, weight: 3}, {name: far, namespace: bank, port: 81}, {group: example.com, kind: Bucket, name: b}]`
	want := catalog.HTTPRoute{
		Kind: entity.KindGatewayTCPRoute, Name: entity.Name{Namespace: "shop", Name: "r"}, Parents: []catalog.RouteParent{{Service: entity.Name{Namespace: "shop", Name: "books"}}},
		Rules: []catalog.HTTPRouteRule{{
			Matches: []catalog.RouteMatch{{PathType: catalog.PathPrefix, Path: "/"}},
			Backends: []catalog.RouteBackend{
				{Service: entity.Name{Namespace: "shop", Name: "books"}, Port: 80, Weight: 3},
				{Service: entity.Name{Namespace: "bank", Name: "far"}, Port: 81, Weight: 1},
				{Service: entity.Name{Namespace: "shop", Name: "b"}, Weight: 1, Unsupported: "Bucket b"},
			},
		}},
	}
	route, found := GatewayTCPRoute(gatewayObject(t, routeYAML(backends)))
	if diff := cmp.Diff(&want, route); diff != "" || len(found) > 0 {
		t.Errorf("%v (-want +got):\n%s", found, diff)
	}
	withNames := func(list string) string {
		return strings.Replace(routeYAML(backends), "  rules:", "  hostnames: "+list+"\n  rules:", 1)
	}
	want.Kind, want.Hostnames = entity.KindTLSRoute, []string{"*.b.example", "a.example"}
	route, found = TLSRoute(gatewayObject(t, withNames(`[A.example, "*.b.example", a.example]`)))
	if diff := cmp.Diff(&want, route); diff != "" || len(found) > 0 {
		t.Errorf("%v (-want +got):\n%s", found, diff)
	}
	if route, found = TLSRoute(gatewayObject(t, withNames(`["a b"]`))); route != nil || len(found) != 1 || !strings.Contains(found[0].Message, `This TLSRoute has no effect: "a b" is not a host name.`) {
		t.Errorf("an invalid name: %+v %v", route, found)
	}
	for _, read := range []func(*unstructured.Unstructured) (*catalog.HTTPRoute, []Problem){GatewayTCPRoute, TLSRoute} {
		if route, found = read(gatewayObject(t, "metadata: {name: r}\nspec: {rules: text}")); route != nil || len(found) != 1 || found[0].Reason != ReasonMalformed {
			t.Errorf("a malformed route: %+v %v", route, found)
		}
		route, found = read(gatewayObject(t, "metadata: {name: r, namespace: shop}\nspec: {parentRefs: [{name: web}]}"))
		if len(found) > 0 || len(route.Rules) != 1 || len(route.Rules[0].Matches) != 1 || len(route.Rules[0].Backends) > 0 {
			t.Errorf("no rules: %+v %v, want one without backends", route, found)
		}
	}
	route, found = GatewayTCPRoute(gatewayObject(t, routeYAML("backendRefs: []\n  - backendRefs: []")))
	if len(found) > 0 || len(route.Rules) != 1 || !cmp.Equal(route.Ignored, []string{"spec.rules[1]"}) {
		t.Errorf("two rules: %+v %v", route, found)
	}
}

// TestPortsWithTLS checks on which ports the application uses TLS itself.
func TestPortsWithTLS(t *testing.T) {
	for protocol, want := range map[string]bool{"https": true, "TLS": true, "kubernetes.io/wss": true, "amqps": true, "tcp": false, "http": false, "mysql": false} {
		got, ok := readPort(t, corev1.ServicePort{Port: 443, AppProtocol: ptr.To(protocol)})
		if !ok || got.TLS != want || got.TLS && got.Protocol != inventory.ProtocolTCP {
			t.Errorf("the appProtocol %s: %+v %t", protocol, got, ok)
		}
	}
	for name, want := range map[string]bool{"https": true, "https-web": true, "tls-db": true, "ldaps": true, "redis": false, "wss": false, "tcp-tls": false, "http": false, "web": false} {
		if got, _ := readPort(t, corev1.ServicePort{Port: 443, Name: name}); got.TLS != want {
			t.Errorf("the port name %s: %+v", name, got)
		}
	}
}

func readPort(t *testing.T, port corev1.ServicePort) (inventory.Port, bool) {
	t.Helper()
	service, _ := Service(&corev1.Service{Spec: corev1.ServiceSpec{Ports: []corev1.ServicePort{port}}})
	if service == nil || len(service.Ports) != 1 {
		return inventory.Port{}, false
	}
	return service.Ports[0], true
}
