package authz_test

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/ingressbackend"
	. "github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

func TestDecideIngress(t *testing.T) {
	nginx := Pod("ingress", "nginx", "nginx", "nginx", "10.9.0.1")
	policy := &ingressbackend.Policy{
		Name: Name("shop", "open"), Backends: []ingressbackend.Port{{Service: Name("shop", "web"), TargetPort: 8080}},
		Gateways: []entity.Name{Name("ingress", "nginx")}, Prefixes: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}, RouteGroups: []string{"paths"},
	}
	anybody := *policy
	anybody.Gateways, anybody.Prefixes, anybody.RouteGroups = nil, nil, nil
	mesh := func(settings *catalog.Settings, policies ...catalog.Entry) *catalog.Catalog {
		return Apply(append(policies, settings, &catalog.Namespace{Name: "shop", Monitored: true}, Group("shop", "paths", "/books.*"),
			nginx, Service("ingress", "nginx", "nginx", "10.96.0.9", 80, inventory.ProtocolHTTP), Slice(Name("ingress", "nginx"), nginx))...)
	}
	on := &catalog.Settings{IngressBackends: true, Permissive: true}
	restricted, open := mesh(on, policy), mesh(on, &anybody)
	for _, test := range []struct {
		name    string
		mesh    *catalog.Catalog
		request authz.IngressRequest
		want    authz.Outcome
		missing string
	}{
		{"IngressBackends are disabled", mesh(&catalog.Settings{}, policy), authz.IngressRequest{}, authz.Reset, "enableIngressBackendPolicy"},
		{"no policy, in permissive mode", mesh(on), authz.IngressRequest{}, authz.Reset, "an IngressBackend in namespace shop with the port 8080 of Service web"},
		{"anybody", open, authz.IngressRequest{Address: netip.MustParseAddr("203.0.113.1"), Path: "/x"}, authz.Allowed, ""},
		{"a path without normal form", open, authz.IngressRequest{Path: "/%2F"}, authz.BadRequest, ""},
		{"an unknown address", restricted, authz.IngressRequest{Path: "/books"}, authz.Allowed, ""},
		{"an address of the range", restricted, authz.IngressRequest{Address: netip.MustParseAddr("192.0.2.7")}, authz.Allowed, ""},
		{"an address of the gateway", restricted, authz.IngressRequest{Address: netip.MustParseAddr("10.9.0.1")}, authz.Allowed, ""},
		{"another address", restricted, authz.IngressRequest{Address: netip.MustParseAddr("203.0.113.1")}, authz.Reset, "the address 203.0.113.1 among the sources of IngressBackend shop/open"},
		{"the gateway", restricted, authz.IngressRequest{Gateway: Name("ingress", "nginx")}, authz.Allowed, ""},
		{"another gateway", restricted, authz.IngressRequest{Gateway: Name("ingress", "other")}, authz.Reset, "the Service ingress/other among the sources"},
		{"another path", restricted, authz.IngressRequest{Method: "GET", Path: "/private"}, authz.NotFound, "an HTTPRouteGroup match for GET /private"},
		{"a path that leaves the match", restricted, authz.IngressRequest{Method: "GET", Path: "/books/../private"}, authz.NotFound, "GET /private"},
	} {
		test.request.Service, test.request.TargetPort = Name("shop", "web"), 8080
		got := authz.DecideIngress(test.mesh.View(), test.request)
		if got.Outcome != test.want || !strings.Contains(got.Missing, test.missing) || (got.Outcome == authz.Allowed) != (got.Missing == "") {
			t.Errorf("%s: %s, missing %q; want %s, missing %q", test.name, got.Outcome, got.Missing, test.want, test.missing)
		}
	}
}
