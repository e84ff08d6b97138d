package explain_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
	. "github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// TestAskFromOutside asks for clients outside the mesh: by an IngressBackend, with conditions and authorizers, and by the ingress gateway.
func TestAskFromOutside(t *testing.T) {
	on := &catalog.Settings{Namespace: "osm-system", IngressBackends: true}
	port := Service("shop", "web", "web", "10.96.0.1", 80, catalog.ProtocolHTTP).Ports[0].TargetPort
	backend := &catalog.IngressBackend{
		Name: Name("shop", "open"), Backends: []catalog.IngressPort{{Service: Name("shop", "web"), TargetPort: port, TLS: true, ServerNames: []string{"web.example.com"}}},
		Prefixes: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}, Principals: []string{"nginx.ingress.cluster.local"}, RouteGroups: []string{"paths"},
	}
	admitted := shop(on, backend, Group("shop", "paths", "/a"))
	authorizer := append(slices.Clone(admitted), &catalog.ExternalAuthorizationPolicy{Name: Name("shop", "authz"), Service: Name("shop", "opa"), Timeout: time.Second},
		&catalog.ExtensionService{Name: Name("shop", "opa"), Address: "192.0.2.9", Port: 9191})
	routed := shop(on, &catalog.GatewayClass{Name: "osm"},
		&catalog.Service{Name: Name("osm-system", names.IngressGateway), Ports: []catalog.Port{{Number: 80, TargetPort: 10080}}},
		&catalog.Gateway{Name: Name("shop", "public"), Class: "osm", Listeners: []catalog.GatewayListener{{Name: "plain", Port: 80, Protocol: "HTTP", From: "Same", Hostname: "web.example.com"}}},
		&catalog.HTTPRoute{Name: Name("shop", "r"), Parents: []catalog.RouteParent{{Gateway: Name("shop", "public")}}, Rules: []catalog.HTTPRouteRule{{
			Matches: []catalog.RouteMatch{{PathType: "PathPrefix", Path: "/a"}}, Backends: []catalog.RouteBackend{{Service: Name("shop", "web"), Port: 80, Weight: 1}},
		}}}, Group("shop", "paths", "/a"))
	target := Target("in", SA("shop", "web"), []catalog.TargetRule{HTTP("paths")}, identity.ServiceAccount{Namespace: "osm-system", Name: names.IngressGateway})
	outsider := append(slices.Clone(admitted), Service("out", "nginx", "guest", "10.96.0.9", 80, catalog.ProtocolHTTP))
	for _, test := range []struct {
		question string
		entries  []catalog.Entry
		allowed  bool
		want     string
	}{
		{"outside to shop/web GET /a", shop(), false, "missing: spec.featureFlags.enableIngressBackendPolicy of the MeshConfig"},
		{"outside to shop/web GET /a", shop(on), false, "missing: an IngressBackend in namespace shop with the port"},
		{"outside to shop/web GET /a", admitted, true, "from 192.0.2.0/24, with TLS and a certificate of the mesh for nginx.ingress.cluster.local, for the server name web.example.com"},
		{"outside to shop/web GET /a", admitted, true, "by: IngressBackend shop/open"},
		{"outside to shop/web GET /b", admitted, false, "status 404"},
		{"192.0.2.7 to shop/web GET /a", admitted, true, "the client 192.0.2.7 outside the mesh -> Service shop/web"},
		{"203.0.113.7 to shop/web", admitted, false, "the address 203.0.113.7 among the sources of IngressBackend shop/open"},
		{"out/svc/nginx to shop/web", outsider, false, "the Service out/nginx among the sources of IngressBackend shop/open"},
		{"outside to shop/web GET /a", authorizer, true, "authorization: the ExtensionService shop/opa must allow the request too"},
		{"outside to shop/db", admitted, false, "the connection is closed"},
		{"outside to shop/web GET /a", routed, false, "by http://web.example.com:80/a, listener plain of Gateway shop/public"},
		{"outside to shop/web GET /a", append(slices.Clone(routed), target), true, "by: TrafficTarget "},
		{"outside to shop/web GET /other", append(slices.Clone(routed), target), false, "DENIED"},
		{"outside to shop/web", append(slices.Clone(routed), target), true, "may send: any method /a"},
	} {
		answer := ask(t, test.question, test.entries...)
		var text strings.Builder
		if err := answer.Print(&text); err != nil {
			t.Fatal(err)
		}
		if answer.Allowed != test.allowed || !answer.FromOutside || !strings.Contains(text.String(), test.want) {
			t.Errorf("%s: want allowed %t with %q:\n%s", test.question, test.allowed, test.want, text.String())
		}
	}
}
