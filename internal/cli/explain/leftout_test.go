package explain_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
	. "github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// groupOfHalf returns a group with more than half of the matches that fit.
func groupOfHalf(namespace string, maximum int) *catalog.HTTPRouteGroup {
	group := Group(namespace, "many")
	for i := range maximum/2 + 1 {
		group.Matches = append(group.Matches, catalog.HTTPMatch{Name: fmt.Sprint(i), PathRegex: fmt.Sprint("/", i)})
	}
	return group
}

// TestAskAboutSplitsBeyondTheRouteLimit checks that requests go to the Service itself on ports on which the sidecar of the client does not have the
// routes of a TrafficSplit.
func TestAskAboutSplitsBeyondTheRouteLimit(t *testing.T) {
	web, beta, till := SA("shop", "web"), SA("shop", "beta"), SA("front", "till")
	pod := Pod("shop", "beta-0", "beta", "beta", "10.0.0.9")
	stable, next := Service("shop", "web", "web", "10.96.0.1", 80, inventory.ProtocolHTTP), Service("shop", "web-beta", "beta", "10.96.0.9", 80, inventory.ProtocolHTTP)
	for _, service := range []*inventory.Service{stable, next} {
		service.Ports = append(service.Ports, inventory.Port{Number: 81, TargetPort: 81, Protocol: inventory.ProtocolHTTP})
	}
	web81 := Slice(stable.Name, Pod("shop", "web-0", "web", "web", "10.0.0.1"))
	entries := shop(pod, stable, next, web81, Slice(next.Name, pod), groupOfHalf("shop", authz.MaxCrossNamespaceRoutes), Group("shop", "paths", "/1", "/x"),
		&catalog.TrafficSplit{Name: Name("shop", "ab"), Root: stable.Name, Matches: []string{"many"}, Backends: []catalog.SplitBackend{{Service: next.Name, Weight: 1}}})
	toWeb, toBeta := Target("web", web, []catalog.TargetRule{HTTP("paths")}, till), Target("beta", beta, []catalog.TargetRule{HTTP("paths")}, till)
	const leftOut = "left out: TrafficSplit shop/ab, because the TrafficSplits of namespace shop have more than 5000 routes"
	for name, test := range map[string]struct {
		question  string
		more      []catalog.Entry
		want, not []string
	}{
		"a port with the routes": {
			"front/sa/till shop/svc/web:80 GET /1",
			[]catalog.Entry{toWeb, toBeta},
			[]string{"ALLOWED by TrafficTarget shop/beta", "by TrafficSplit shop/ab (match 1 of HTTPRouteGroup shop/many) to shop/web-beta, ServiceAccount shop/beta"},
			[]string{leftOut},
		},
		"a port beyond the limit": {
			"front/sa/till shop/svc/web:81 GET /1",
			[]catalog.Entry{toWeb, toBeta},
			[]string{"ALLOWED by TrafficTarget shop/web", "ServiceAccount shop/web\n", leftOut, "reason TooManyRoutes"},
			[]string{"by TrafficSplit"},
		},
		"a request that the split does not select": {
			"front/sa/till shop/svc/web:81 GET /x",
			[]catalog.Entry{toWeb, toBeta},
			[]string{"ALLOWED by TrafficTarget shop/web"},
			[]string{leftOut, "by TrafficSplit"},
		},
		"any request": {
			"front/sa/till shop/svc/web:81",
			[]catalog.Entry{toWeb, toBeta},
			[]string{"ALLOWED by TrafficTarget shop/web", leftOut},
			[]string{"by TrafficSplit", "ServiceAccount shop/beta"},
		},
		"only the backend is granted": {
			"front/sa/till shop/svc/web:81 GET /1",
			[]catalog.Entry{toBeta},
			[]string{"DENIED", leftOut, "name: till-to-web"},
			[]string{"by TrafficSplit", "name: till-to-beta"},
		},
		"permissive": {
			"front/sa/till shop/svc/web:81 GET /1",
			[]catalog.Entry{&catalog.Settings{Permissive: true}},
			[]string{"ALLOWED, because the mesh is in permissive mode", "ServiceAccount shop/web\n", leftOut},
			[]string{"by TrafficSplit"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			checkParts(t, said(t, test.question, nil, append(entries, test.more...)...), test.want, test.not)
		})
	}
}

// TestAskAboutTheEgressGatewayBeyondTheRouteLimit checks that calls are not called allowed that the egress gateway rejects, because it does not have
// their destination.
func TestAskAboutTheEgressGatewayBeyondTheRouteLimit(t *testing.T) {
	egress := func(name, source string, hosts ...string) *catalog.Egress {
		return &catalog.Egress{
			Name: Name("front", name), Sources: []identity.ServiceAccount{SA("front", source)}, Hosts: hosts, Restricted: true, RouteGroups: []string{"many"},
			Ports:   []catalog.EgressPort{{Number: 80, Protocol: inventory.ProtocolHTTP}, {Number: 443, Protocol: catalog.ProtocolHTTPS}},
			Gateway: &catalog.EgressGateway{},
		}
	}
	small := egress("small", "till", "small.example.com")
	small.Restricted, small.RouteGroups = false, nil
	full := egress("full", "full")
	full.Ports, full.Restricted, full.RouteGroups = full.Ports[1:], false, nil
	for i := range authz.MaxRoutes {
		full.Hosts = append(full.Hosts, fmt.Sprintf("h%05d.example.com", i))
	}
	away := shop(&catalog.Settings{Namespace: "osm-system", EgressPolicies: true}, groupOfHalf("front", authz.MaxRoutes),
		egress("a", "other", "a.example.com"), egress("b", "till", "b.example.com"), small)
	gateway := append(away, &inventory.Service{Name: Name("osm-system", names.EgressGateway), ClusterIPs: []netip.Addr{netip.MustParseAddr("10.96.0.7")}})
	const limit = "reason TooManyRoutes"
	for name, test := range map[string]struct {
		question  string
		entries   []catalog.Entry
		want, not []string
	}{
		"requests beyond the limit": {
			"front/sa/till http://b.example.com/1", gateway,
			[]string{"DENIED", "unavailable: status 503", "the Egresses of namespace front have more than 50000", limit},
			[]string{"by: Egress", "kind: Egress"},
		},
		"connections of the same Egress": {"front/sa/till https://b.example.com", gateway, []string{"ALLOWED by Egress front/b"}, []string{limit}},
		"another Egress":                 {"front/sa/till http://small.example.com/1", gateway, []string{"ALLOWED by Egress front/small"}, []string{limit}},
		"connections beyond the limit": {
			"front/sa/till https://SMALL.example.com", append(gateway, full),
			[]string{"DENIED", "unavailable: the connection is closed without a response", limit},
			[]string{"by: Egress"},
		},
		"no gateway": {"front/sa/till http://b.example.com/1", away, []string{"status 503, because the mesh has no egress gateway"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			checkParts(t, said(t, test.question, nil, test.entries...), test.want, test.not)
		})
	}
}

// routed is a shop whose ingress gateway forwards requests by path to ports of the Service web.
func routed(ports map[string]uint16, more ...catalog.Entry) []catalog.Entry {
	route := &catalog.HTTPRoute{Kind: entity.KindHTTPRoute, Name: Name("shop", "r"), Parents: []catalog.RouteParent{{Gateway: Name("shop", "public")}}}
	for path, port := range ports {
		route.Rules = append(route.Rules, catalog.HTTPRouteRule{
			Matches: []catalog.RouteMatch{{PathType: "Exact", Path: path}}, Backends: []catalog.RouteBackend{{Service: Name("shop", "web"), Port: port, Weight: 1}},
		})
	}
	listener := catalog.GatewayListener{Name: "plain", Port: 80, Protocol: "HTTP", From: "Same", Hostname: "web.example.com"}
	return shop(append(more, route, &catalog.Settings{Namespace: "osm-system"}, &catalog.GatewayClass{Name: "osm"},
		&inventory.Service{Name: Name("osm-system", names.IngressGateway), Ports: []inventory.Port{{Number: 80, TargetPort: 10080}}},
		&catalog.Gateway{Name: Name("shop", "public"), Class: "osm", Listeners: []catalog.GatewayListener{listener}})...)
}

var ingressGateway = identity.ServiceAccount{Namespace: "osm-system", Name: names.IngressGateway}

// TestAskAboutTheIngressGatewayBeyondTheRouteLimit checks that requests through the ingress gateway are denied on a port beyond the limit, as for other
// clients of the mesh.
func TestAskAboutTheIngressGatewayBeyondTheRouteLimit(t *testing.T) {
	web := Service("shop", "web", "web", "10.96.0.1", 80, inventory.ProtocolHTTP)
	web.Ports = append(web.Ports, inventory.Port{Number: 81, TargetPort: 81, Protocol: inventory.ProtocolHTTP})
	entries := routed(map[string]uint16{"/1": 80, "/2": 81}, web, Slice(web.Name, Pod("shop", "web-0", "web", "web", "10.0.0.1")), groupOfHalf("shop", authz.MaxRoutes),
		Target("in", SA("shop", "web"), []catalog.TargetRule{HTTP("many")}, ingressGateway))
	const limit = "reason TooManyRoutes"
	checkParts(t, said(t, "outside shop/svc/web GET /1", nil, entries...), []string{"ALLOWED", "by: TrafficTarget shop/in"}, []string{limit})
	checkParts(t, said(t, "outside shop/svc/web GET /2", nil, entries...), []string{"DENIED", "unavailable: status 503", "missing: port 81 of pods of shop/web", limit}, []string{"by: TrafficTarget"})
}

// TestAskThroughTheIngressGatewayAppliesNoMatches checks that requests through the ingress gateway go to the Service itself, even if a TrafficSplit with
// matches selects them.
func TestAskThroughTheIngressGatewayAppliesNoMatches(t *testing.T) {
	next := Service("shop", "db2", "db", "10.96.0.9", 80, inventory.ProtocolHTTP)
	entries := routed(map[string]uint16{"/1": 80}, Group("shop", "paths", "/1"), next, Slice(next.Name, Pod("shop", "db-0", "db", "db", "10.0.0.2")),
		&catalog.TrafficSplit{Name: Name("shop", "ab"), Root: Name("shop", "web"), Matches: []string{"paths"}, Backends: []catalog.SplitBackend{{Service: next.Name, Weight: 1}}},
		Target("in", SA("shop", "web"), []catalog.TargetRule{HTTP("paths")}, ingressGateway))
	for _, question := range []string{"outside shop/svc/web GET /1", "outside shop/svc/web"} {
		checkParts(t, said(t, question, nil, entries...), []string{"ALLOWED", "ServiceAccount shop/web"}, []string{"TrafficSplit", "left out"})
	}
}

// checkParts checks which parts a text has.
func checkParts(t *testing.T, text string, want, not []string) {
	t.Helper()
	for _, part := range want {
		if !strings.Contains(text, part) {
			t.Errorf("the answer does not have %q:\n%.600s", part, text)
		}
	}
	for _, part := range not {
		if strings.Contains(text, part) {
			t.Errorf("the answer has %q:\n%.600s", part, text)
		}
	}
}
