package connectivity

import (
	"strings"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/cli/diagnosis"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
	"github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// TestVerifyIngressGateway verifies requests through the ingress gateway of the mesh, and what may be missing.
func TestVerifyIngressGateway(t *testing.T) {
	pod := meshtest.Pod("osm-system", "gateway-1", names.IngressGateway, names.IngressGateway, "10.0.0.9")
	service := &inventory.Service{Name: meshtest.Name("osm-system", names.IngressGateway), Ports: []inventory.Port{{Number: 80, TargetPort: 10080}}}
	web, server := meshtest.Service("shop", "web", "web", "10.96.0.1", 80, inventory.ProtocolHTTP), meshtest.Pod("shop", "web-1", "web", "web", "10.0.0.1")
	listens := &catalog.Gateway{Name: meshtest.Name("shop", "web"), Class: "osm", Listeners: []catalog.GatewayListener{{Name: "http", Port: 80, Protocol: "HTTP", From: "Same"}}}
	other := &catalog.Gateway{Name: meshtest.Name("shop", "web"), Class: "osm", Listeners: []catalog.GatewayListener{{Name: "http", Port: 81, Protocol: "HTTP", From: "Same"}}}
	route := func(backend, unsupported string) *catalog.HTTPRoute {
		return &catalog.HTTPRoute{
			Kind: entity.KindHTTPRoute,
			Name: meshtest.Name("shop", "web"), Parents: []catalog.RouteParent{{Gateway: listens.Name}}, Hostnames: []string{"shop.example.com"},
			Rules: []catalog.HTTPRouteRule{{
				Matches:  []catalog.RouteMatch{{PathType: "PathPrefix", Path: "/cart"}},
				Backends: []catalog.RouteBackend{{Service: meshtest.Name("shop", backend), Port: 80, Weight: 1}}, Unsupported: unsupported,
			}},
		}
	}
	allowed := meshtest.Target("gateway", meshtest.SA("shop", "web"), []catalog.TargetRule{meshtest.HTTP("all")}, meshtest.SA("osm-system", names.IngressGateway))
	for name, test := range map[string]struct {
		entries []catalog.Entry
		want    string
	}{
		"everything fits":         {[]catalog.Entry{meshtest.Slice(service.Name, pod), listens, route("web", ""), allowed}, ""},
		"no pods":                 {[]catalog.Entry{listens, route("web", ""), allowed}, "no pod is ready"},
		"no Gateway":              {[]catalog.Entry{meshtest.Slice(service.Name, pod), route("web", ""), allowed}, "has no Gateway of its GatewayClass"},
		"a port of nobody":        {[]catalog.Entry{meshtest.Slice(service.Name, pod), other, route("web", ""), allowed}, "listener http of Gateway shop/web"},
		"a route elsewhere":       {[]catalog.Entry{meshtest.Slice(service.Name, pod), listens, route("db", ""), allowed}, "no rule of a listener in use"},
		"an unsupported rule":     {[]catalog.Entry{meshtest.Slice(service.Name, pod), listens, route("web", "it mirrors requests"), allowed}, "it mirrors requests"},
		"without a TrafficTarget": {[]catalog.Entry{meshtest.Slice(service.Name, pod), listens, route("web", "")}, "no TrafficTarget allows osm-system/osm-ingress-gateway to call shop/web"},
	} {
		t.Run(name, func(t *testing.T) {
			view := meshtest.Apply(append([]catalog.Entry{
				&catalog.Settings{Namespace: "osm-system"}, &catalog.Namespace{Name: "shop", Monitored: true}, &catalog.GatewayClass{Name: "osm"},
				service, pod, web, server, meshtest.Slice(web.Name, server), meshtest.Group("shop", "all", "/.*"),
			}, test.entries...)...).View()
			var reasons []string
			for _, check := range VerifyIngressGateway(view, names.IngressGateway, web.Name) {
				if check.Severity != diagnosis.OK {
					reasons = append(reasons, check.Message)
				}
			}
			if got := strings.Join(reasons, "; "); (got == "") != (test.want == "") || !strings.Contains(got, test.want) {
				t.Errorf("the reasons are %q, want %q", got, test.want)
			}
		})
	}
}

// TestVerifyGatewayWithPodsOfItsOwn verifies requests through the Service of one Gateway, and names the Services where the shared one is meant.
func TestVerifyGatewayWithPodsOfItsOwn(t *testing.T) {
	own := names.DedicatedGateway("shop", "web")
	pod := meshtest.Pod("osm-system", "gateway-1", names.IngressGateway, own, "10.0.0.9")
	view := meshtest.Apply(
		&catalog.Settings{Namespace: "osm-system"}, &catalog.Namespace{Name: "shop", Monitored: true}, &catalog.GatewayClass{Name: "osm", PerGateway: true},
		&catalog.Gateway{Name: meshtest.Name("shop", "web"), Class: "osm", Listeners: []catalog.GatewayListener{{Name: "http", Port: 8080, Protocol: "HTTP", From: "Same"}}},
		pod, meshtest.Slice(meshtest.Name("osm-system", own), pod)).View()
	for from, want := range map[string]string{
		own: "", names.IngressGateway: "each Gateway has a Service of its own", names.DedicatedGateway("shop", "gone"): "no pod is ready; the mesh has no Gateway",
	} {
		var reasons, remedies []string
		for _, check := range VerifyIngressGateway(view, from, entity.Name{}) {
			if check.Severity != diagnosis.OK {
				reasons, remedies = append(reasons, check.Message), append(remedies, check.Remedy)
			}
		}
		if got := strings.Join(reasons, "; "); (got == "") != (want == "") || !strings.Contains(got, want) {
			t.Errorf("from %s: the reasons are %q, want %q", from, got, want)
		}
		if text := strings.Join(remedies, ""); from == names.IngressGateway && !strings.Contains(text, "osm-system/"+own+" (Gateway shop/web)") {
			t.Errorf("the remedy %q does not name the Service", text)
		}
	}
}
