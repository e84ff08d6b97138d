package explain_test

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/internal/cli/explain"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/extauthz"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/ingressbackend"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
	. "github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// A client without a sidecar is evaluated by the addresses of its pods, whatever it is called: its own ServiceAccount is not known to the server.
func TestAskFromPodsWithoutSidecar(t *testing.T) {
	on := &catalog.Settings{Namespace: "osm-system", IngressBackends: true}
	port := Service("shop", "web", "web", "10.96.0.1", 80, inventory.ProtocolHTTP).Ports[0].TargetPort
	backend := func(prefixes ...string) *ingressbackend.Policy {
		b := &ingressbackend.Policy{Name: Name("shop", "open"), Backends: []ingressbackend.Port{{Service: Name("shop", "web"), TargetPort: port}}}
		for _, p := range prefixes {
			b.Prefixes = append(b.Prefixes, netip.MustParsePrefix(p))
		}
		return b
	}
	pod := func(namespace, name, address string) *inventory.Instance {
		p := Pod(namespace, name, "guest", "guest", address)
		p.Injected, p.Workload = false, inventory.Workload{Kind: "Deployment", Name: "guests"}
		return p
	}
	guest, second := pod("out", "guest", "10.0.0.4"), pod("out", "second", "10.0.0.5")
	bare := pod("shop", "bare", "10.0.0.6")
	granted := []catalog.Entry{Group("shop", "paths", "/a"), Target("t", SA("shop", "web"), []catalog.TargetRule{HTTP("paths")}, SA("out", "guest"), SA("shop", "guest"))}
	for name, test := range map[string]struct {
		question string
		entries  []catalog.Entry
		want     []string
	}{
		"its address is admitted":           {"out/guest to shop/web GET /a", shop(on, guest, backend("10.0.0.0/24")), []string{"ALLOWED", "by: IngressBackend shop/open"}},
		"a workload":                        {"out/deploy/guests to shop/web GET /a", shop(on, guest, second, backend("10.0.0.0/24")), []string{"ALLOWED", "deployment out/guests, without a sidecar"}},
		"only one of its pods is admitted":  {"out/deploy/guests to shop/web GET /a", shop(on, guest, second, backend("10.0.0.4/32")), []string{"PARTLY ALLOWED", "the address 10.0.0.5 among the sources"}},
		"a namespace of the mesh":           {"shop/bare to shop/web GET /a", shop(on, bare, backend("10.0.0.6/32")), []string{"ALLOWED", "by: IngressBackend shop/open"}},
		"permissive mode admits no client":  {"out/guest to shop/web GET /a", shop(&catalog.Settings{Permissive: true}, guest), []string{"DENIED", "the connection is closed"}},
		"a TrafficTarget admits no client":  {"out/guest to shop/web GET /a", shop(append(granted, on, guest)...), []string{"DENIED", "namespace out of pod out/guest is not part of mesh osm"}},
		"the same without a sidecar inside": {"shop/bare to shop/web GET /a", shop(append(granted, on, bare)...), []string{"DENIED", "pod shop/bare has no sidecar"}},
		"an address is no identity":         {"out/guest to shop/web GET /a", shop(on, guest), []string{"DENIED", "missing: a sidecar of the client", "run osm namespace add out --mesh-name osm and restart the pods: kubectl -n out rollout restart deployment/guests"}},
		"both are outside":                  {"out/guest to out/svc/plain GET /", shop(on, guest, Service("out", "plain", "guest", "10.96.0.9", 80, inventory.ProtocolHTTP)), []string{"ALLOWED", "Neither of them has a sidecar"}},
	} {
		t.Run(name, func(t *testing.T) {
			var text strings.Builder
			m := mesh(Apply(test.entries...), test.entries...)
			m.Account = func(_ context.Context, kind, _, name string) (string, bool, error) {
				return "guest", kind == "deployment" && name == "guests", nil
			}
			answer := askMesh(t, m, test.question)
			if err := answer.Print(&text); err != nil {
				t.Fatal(err)
			}
			for _, want := range test.want {
				if !strings.Contains(text.String(), want) {
					t.Errorf("no %q in:\n%s", want, text.String())
				}
			}
		})
	}
}

// TestAskFromGateways asks for the gateways of the mesh, whose namespace is not part of the mesh.
func TestAskFromGateways(t *testing.T) {
	routed := routedShop()
	gateway := SA("osm-system", names.IngressGateway)
	account := []catalog.Entry{
		&catalog.ServiceAccount{Name: entity.Name(gateway), UID: "7"}, &catalog.ServiceAccount{Name: Name("osm-system", names.EgressGateway), UID: "8"},
		&catalog.ServiceAccount{Name: Name("osm-system", names.PeerGateway), UID: "9"},
		&catalog.Namespace{Name: "osm-system"}, Service("osm-system", "other", "other", "10.96.0.77", 80, inventory.ProtocolHTTP),
	}
	routed = append(routed, account...)
	target := Target("in", SA("shop", "web"), []catalog.TargetRule{HTTP("paths")}, gateway)
	for name, test := range map[string]struct {
		question string
		entries  []catalog.Entry
		want     []string
	}{
		"allowed":           {"osm-system/sa/osm-ingress-gateway to shop/web GET /a", append(slices.Clone(routed), target), []string{"ALLOWED", "by: TrafficTarget shop/in"}},
		"no policy":         {"osm-system/sa/osm-ingress-gateway to shop/web GET /a", routed, []string{"DENIED", "status 403 of the gateway: no policy allows", "kind: TrafficTarget"}},
		"no route":          {"osm-system/sa/osm-ingress-gateway to shop/db", routed, []string{"DENIED", "an HTTPRoute of a Gateway of the mesh with the backend shop/db"}},
		"from outside":      {"outside to shop/web GET /a", routed, []string{"DENIED", "status 403 of the gateway", "kind: TrafficTarget", "name: osm-ingress-gateway"}},
		"the control plane": {"front/sa/till to osm-system/svc/other GET /", routed, []string{"has the control plane of mesh osm, so it cannot be part of the mesh"}},
	} {
		t.Run(name, func(t *testing.T) {
			var text strings.Builder
			if err := evaluate(t, test.question, test.entries...).Print(&text); err != nil {
				t.Fatal(err)
			}
			for _, want := range test.want {
				if !strings.Contains(text.String(), want) {
					t.Errorf("no %q in:\n%s", want, text.String())
				}
			}
			if strings.Contains(text.String(), "namespace add") {
				t.Errorf("the remedy cannot be applied:\n%s", text.String())
			}
		})
	}
	for account, want := range map[string]string{names.EgressGateway: "is the egress gateway", names.PeerGateway: "is the peer gateway"} {
		q, err := explain.ParseQuestion([]string{"osm-system/sa/" + account, "to", "shop/web"}, nil, "default")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := explain.Evaluate(t.Context(), mesh(Apply(routed...), routed...), q); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the error is %v, want %q", err, want)
		}
	}
}

// A listener that the gateway does not serve is no candidate, and says why.
func TestAskThroughUnprogrammedListener(t *testing.T) {
	entries := append(routedShop(), Target("in", SA("shop", "web"), []catalog.TargetRule{HTTP("paths")}, SA("osm-system", names.IngressGateway)))
	m := mesh(Apply(entries...), entries...)
	m.Unprogrammed = func(gateway entity.Name, listener string) string {
		return "the Secret of " + gateway.String() + "/" + listener + " cannot be read"
	}
	answer := askMesh(t, m, "outside to shop/web GET /a")
	i := slices.IndexFunc(answer.Candidates, func(w explain.Candidate) bool { return w.Gateway != "" })
	if answer.Allowed || i < 0 || !strings.Contains(answer.Candidates[i].Missing, "the Secret of shop/public/plain cannot be read") {
		t.Errorf("the answer is %+v, want a denial with the reason", answer)
	}
}

// A host that demands certificates of clients is marked.
func TestAskThroughListenerWithClientCertificates(t *testing.T) {
	for _, test := range []struct {
		clients *catalog.ClientValidation
		want    string
	}{
		{&catalog.ClientValidation{Authorities: []entity.Name{Name("shop", "ca")}}, "by https://web.example.com:80/a (with a client certificate), listener tls"},
		{&catalog.ClientValidation{Authorities: []entity.Name{Name("shop", "ca")}, AllowInvalid: true}, "by https://web.example.com:80/a, listener tls"},
	} {
		entries := append(routedShop(), Target("in", SA("shop", "web"), []catalog.TargetRule{HTTP("paths")}, SA("osm-system", names.IngressGateway)),
			&catalog.GatewayCertificate{Name: Name("shop", "tls"), ChainPEM: []byte("chain"), KeyPEM: []byte("key")}, &catalog.GatewayAuthorities{Name: Name("shop", "ca"), PEM: []byte("ca")},
			&catalog.Gateway{Name: Name("shop", "public"), Class: "osm", Listeners: []catalog.GatewayListener{{
				Name: "tls", Port: 80, Protocol: "HTTPS", From: "Same", Hostname: "web.example.com", Terminate: true, Certificates: []entity.Name{Name("shop", "tls")}, Clients: test.clients,
			}}})
		var text strings.Builder
		if err := evaluate(t, "outside to shop/web GET /a", entries...).Print(&text); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(text.String(), test.want) {
			t.Errorf("want %q:\n%s", test.want, text.String())
		}
	}
}

// routedShop has a route from the ingress gateway to the Service web, and no policy.
func routedShop() []catalog.Entry {
	return shop(&catalog.Settings{Namespace: "osm-system", IngressBackends: true}, &catalog.GatewayClass{Name: "osm"},
		&inventory.Service{Name: Name("osm-system", names.IngressGateway), Ports: []inventory.Port{{Number: 80, TargetPort: 10080}}},
		&catalog.Gateway{Name: Name("shop", "public"), Class: "osm", Listeners: []catalog.GatewayListener{{Name: "plain", Port: 80, Protocol: "HTTP", From: "Same", Hostname: "web.example.com"}}},
		&catalog.HTTPRoute{Kind: entity.KindHTTPRoute, Name: Name("shop", "r"), Parents: []catalog.RouteParent{{Gateway: Name("shop", "public")}}, Rules: []catalog.HTTPRouteRule{{
			Matches: []catalog.RouteMatch{{PathType: "PathPrefix", Path: "/a"}}, Backends: []catalog.RouteBackend{{Service: Name("shop", "web"), Port: 80, Weight: 1}},
		}}}, Group("shop", "paths", "/a"))
}

// TestAskFromOutside asks for clients outside the mesh: by an IngressBackend, with conditions and authorizers, and by the ingress gateway.
func TestAskFromOutside(t *testing.T) {
	on := &catalog.Settings{Namespace: "osm-system", IngressBackends: true}
	port := Service("shop", "web", "web", "10.96.0.1", 80, inventory.ProtocolHTTP).Ports[0].TargetPort
	backend := &ingressbackend.Policy{
		Name: Name("shop", "open"), Backends: []ingressbackend.Port{{Service: Name("shop", "web"), TargetPort: port, TLS: true, ServerNames: []string{"web.example.com"}}},
		Prefixes: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}, Principals: []string{"nginx.ingress.cluster.local"}, RouteGroups: []string{"paths"},
	}
	admitted := shop(on, backend, Group("shop", "paths", "/a"))
	authorizer := append(slices.Clone(admitted), &extauthz.Policy{Name: Name("shop", "authz"), Service: Name("shop", "opa"), Timeout: time.Second},
		&catalog.ExtensionService{Name: Name("shop", "opa"), Address: "192.0.2.9", Port: 9191})
	routed := routedShop()
	target := Target("in", SA("shop", "web"), []catalog.TargetRule{HTTP("paths")}, identity.ServiceAccount{Namespace: "osm-system", Name: names.IngressGateway})
	outsider := append(slices.Clone(admitted), Service("out", "nginx", "guest", "10.96.0.9", 80, inventory.ProtocolHTTP))
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
		{"outside to shop/web GET /x/../a", append(slices.Clone(routed), target), true, "listener plain of Gateway shop/public"},
		{"outside to shop/web GET /a%2Fb", append(slices.Clone(routed), target), false, "bad request: status 400"},
		{"outside to shop/web GET /a", append(slices.Clone(routed), target), true, "by: TrafficTarget "},
		{"outside to shop/web GET /other", append(slices.Clone(routed), target), false, "DENIED"},
		{"outside to shop/web", append(slices.Clone(routed), target), true, "may send: any method /a"},
	} {
		answer := evaluate(t, test.question, test.entries...)
		var text strings.Builder
		if err := answer.Print(&text); err != nil {
			t.Fatal(err)
		}
		if answer.Allowed != test.allowed || !answer.FromOutside || !strings.Contains(text.String(), test.want) {
			t.Errorf("%s: want allowed %t with %q:\n%s", test.question, test.allowed, test.want, text.String())
		}
	}
}

// TestAskAboutConnectionsOfGateways asks for a database behind a TCPRoute at a Gateway.
func TestAskAboutConnectionsOfGateways(t *testing.T) {
	gateway := SA("osm-system", names.IngressGateway)
	entries := append(routedShop(), &catalog.ServiceAccount{Name: entity.Name(gateway), UID: "7"}, &catalog.GatewayClass{Name: "pods", PerGateway: true},
		&catalog.Gateway{Name: Name("shop", "tunnel"), Class: "pods", Listeners: []catalog.GatewayListener{{Name: "db", Port: 3306, Protocol: "TCP", From: "Same"}}},
		&catalog.HTTPRoute{
			Kind: entity.KindGatewayTCPRoute, Name: Name("shop", "db"), Parents: []catalog.RouteParent{{Gateway: Name("shop", "tunnel")}},
			Rules: []catalog.HTTPRouteRule{{
				Matches: []catalog.RouteMatch{{PathType: catalog.PathPrefix, Path: "/"}}, Backends: []catalog.RouteBackend{{Service: Name("shop", "db"), Port: 3306, Weight: 1}},
			}},
		})
	var text strings.Builder
	if err := evaluate(t, "outside to shop/db", entries...).Print(&text); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"DENIED", "tcp://*:3306, listener db of Gateway shop/tunnel", "the gateway closes the connection"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("no %q in:\n%s", want, text.String())
		}
	}
}
