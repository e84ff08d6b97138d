package envoy_test

import (
	"strings"
	"testing"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// gatewayWith returns the scope of an ingress gateway with listeners.
func gatewayWith(listeners ...scope.GatewayListener) *scope.Scope {
	return &scope.Scope{
		Common: scope.Common{
			Key:         scope.Key{Identity: identity.ServiceAccount{Namespace: names.DefaultNamespace, Name: names.IngressGateway}, Proxy: scope.ProxyIngressGateway},
			TrustDomain: "cluster.local",
		},
		IngressGateway: &scope.IngressGateway{Listeners: listeners},
	}
}

// routesTo returns a route of a gateway with a prefix.
func routesTo(path string, change func(*scope.HTTPRoute)) scope.HTTPRoute {
	r := scope.HTTPRoute{Match: catalog.RouteMatch{PathType: "PathPrefix", Path: path}, Backends: []scope.Backend{{Cluster: "shop/books|8080", Weight: 1}}}
	change(&r)
	return r
}

// TestInvalidPartsReachNoSharedResource checks that Envoy accepts all resources of a gateway, whatever one namespace has in its part, and that the
// parts of others stay.
func TestInvalidPartsReachNoSharedResource(t *testing.T) {
	good := scope.GatewayHost{Domain: "good.example", Routes: []scope.HTTPRoute{routesTo("/", func(*scope.HTTPRoute) {})}}
	of := func(change func(*scope.HTTPRoute)) scope.GatewayHost {
		return scope.GatewayHost{Domain: "bad.example", Routes: []scope.HTTPRoute{routesTo("/bad", change)}}
	}
	for name, test := range map[string]struct {
		bad  scope.GatewayHost
		want string
	}{
		"a header": {of(func(r *scope.HTTPRoute) { r.Filters.Request.Set = []catalog.HeaderValue{{Name: "x", Value: "a\nb"}} }), "500"},
		"a path": {of(func(r *scope.HTTPRoute) {
			r.Filters.Redirect = &catalog.RouteRedirect{Path: &catalog.PathEdit{Value: "a\nb"}}
		}), "500"},
		"a match": {of(func(r *scope.HTTPRoute) { r.Match.Path = "/a?b" }), "none"},
		"a query": {of(func(r *scope.HTTPRoute) {
			r.Match.Query = []catalog.ValueMatch{{Name: strings.Repeat("q", 1025)}}
		}), "none"},
		"a host": {scope.GatewayHost{Domain: "bad\n.example"}, "no host"},
	} {
		t.Run(name, func(t *testing.T) {
			s := gatewayWith(scope.GatewayListener{Name: "shop/web/a", Port: 80, Bind: 10080, Hosts: []scope.GatewayHost{test.bad, good}})
			for _, r := range envoy.Build(s) {
				m, ok := r.Message.(interface{ ValidateAll() error })
				if !ok {
					t.Fatalf("%s cannot be validated", r.Name)
				}
				if err := m.ValidateAll(); err != nil {
					t.Errorf("%s: %v", r.Name, err)
				}
				if config, ok := r.Message.(*routev3.RouteConfiguration); ok && r.Name == "rds-gateway.80" {
					if got := answerOf(config, "bad.example"); got != test.want {
						t.Errorf("the invalid part: %s, want %s", got, test.want)
					}
					if got := answerOf(config, "good.example"); got != "shop/books|8080" {
						t.Errorf("the valid host: %s", got)
					}
				}
			}
		})
	}
}

// answerOf describes the last route of a host.
func answerOf(config *routev3.RouteConfiguration, domain string) string {
	for _, host := range config.GetVirtualHosts() {
		if host.GetDomains()[0] != domain {
			continue
		}
		last := host.GetRoutes()[len(host.GetRoutes())-1]
		switch {
		case last.GetRoute() != nil:
			return last.GetRoute().GetCluster()
		case last.GetDirectResponse().GetStatus() == 500:
			return "500"
		}
		return "none"
	}
	return "no host"
}

// TestValidateHTTPRoute checks that the rule that Envoy would reject is named.
func TestValidateHTTPRoute(t *testing.T) {
	rule := func(path string) catalog.HTTPRouteRule {
		return catalog.HTTPRouteRule{Matches: []catalog.RouteMatch{{PathType: "PathPrefix", Path: path}}}
	}
	for name, test := range map[string]struct {
		rules []catalog.HTTPRouteRule
		want  string
	}{
		"valid":           {[]catalog.HTTPRouteRule{rule("/"), rule("/a")}, ""},
		"invalid":         {[]catalog.HTTPRouteRule{rule("/"), rule("/a?b")}, "rule 2: invalid Route.Match"},
		"known a problem": {[]catalog.HTTPRouteRule{{Matches: rule("/a?b").Matches, Unsupported: "it has a query"}}, ""},
	} {
		got := ""
		if err := envoy.ValidateHTTPRoute(&catalog.HTTPRoute{Kind: entity.KindHTTPRoute, Rules: test.rules}); err != nil {
			got = err.Error()
		}
		if !strings.HasPrefix(got, test.want) || (got == "") != (test.want == "") {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}
