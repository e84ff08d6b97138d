package verdict

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/openservicemesh/osm-operator/internal/cli/explain"
	"github.com/openservicemesh/osm-operator/internal/injector/redirect"
	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
	. "github.com/openservicemesh/osm-operator/internal/testing/meshtest"
	podstest "github.com/openservicemesh/osm-operator/internal/testing/pods"
)

// gatewayRequests is the number of requests through the ingress gateway.
var gatewayRequests = flag.Int("verdict.gateway", 120, "how many requests through the ingress gateway to try")

const (
	requestsOfRoutes = 12
	// gatewayPort is the port of the pods of the gateway behind port 80.
	gatewayPort = 10080
	// gatewayDrain is longer than the drain time of the servers.
	gatewayDrain = 3 * time.Second
)

// TestVerdictsOfGateway sends requests through a real ingress gateway to real sidecars, with random routes, TrafficTargets and TrafficSplits. Each
// response must be one that osm explain describes, for a client outside and for the gateway itself.
func TestVerdictsOfGateway(t *testing.T) {
	n := newGatewayNetwork(t)
	for name, value := range map[string]string{"rapid.checks": strconv.Itoa(max(1, *gatewayRequests/requestsOfRoutes)), "rapid.shrinktime": "1ns"} {
		earlier := flag.Lookup(name).Value.String()
		if err := flag.Set(name, value); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = flag.Set(name, earlier) })
	}
	seen := map[string]int{}
	rapid.Check(t, func(r *rapid.T) {
		entries := n.draw(r)
		n.configure(t, Apply(entries...))
		for range requestsOfRoutes {
			request := Request{Method: anyMethod.Draw(r, "method"), Path: anyPath.Draw(r, "path"), Headers: []authz.Header{{Name: ":authority", Value: "shop.example"}}}
			for range below(r, 2, "headers") {
				request.Headers = append(request.Headers, anyHeader.Draw(r, "header"))
			}
			observed := n.send(t, request)
			seen[observed]++
			problem := n.disagreement(entries, request, observed)
			if problem != "" {
				time.Sleep(gatewayDrain) // a connection from before an edit stays open until it is drained
				problem = n.disagreement(entries, request, n.send(t, request))
			}
			if problem != "" {
				r.Fatalf("%s %s %v: %s\n%s", request.Method, request.Path, request.Headers, problem, routesText(entries))
			}
		}
	})
	t.Logf("responses: %v", seen)
	for _, answer := range []string{"web:8080", "api:8080", "404", "403"} {
		if seen[answer] == 0 && *gatewayRequests >= 500 && !t.Failed() {
			t.Errorf("no answer was %s: the routes that are drawn do not test it", answer)
		}
	}
}

// gatewayNetwork is an ingress gateway with two servers.
type gatewayNetwork struct {
	gateway, web, api, client *podstest.Pod
}

func newGatewayNetwork(t *testing.T) *gatewayNetwork {
	t.Helper()
	network := podstest.NewNetwork(t)
	n := &gatewayNetwork{
		gateway: network.Custom(t, "gateway", redirect.Config{ExcludeInboundPorts: []uint16{gatewayPort}}, network.Bootstrap("gateway")),
		web:     network.Pod(t, "web"), api: network.Pod(t, "api"), client: network.Bare(t),
	}
	n.web.ServeHTTP(t, webPort, nameOverHTTP("web:8080"))
	n.api.ServeHTTP(t, webPort, nameOverHTTP("api:8080"))
	return n
}

// draw returns a mesh with one Gateway.
func (n *gatewayNetwork) draw(t *rapid.T) []catalog.Entry {
	service := func(name, app string, address byte) *inventory.Service {
		s := Service("shop", name, app, virtualAddress(address).String(), 80, inventory.ProtocolHTTP)
		s.Ports[0].TargetPort = webPort
		if oneIn(t, 2, "decodes escaped slashes") {
			s.DecodeSlashes = new(true)
		}
		return s
	}
	web, api := Pod("shop", "web-0", "web", "web", n.web.IP.String()), Pod("shop", "api-0", "api", "api", n.api.IP.String())
	account := SA(meshNamespace, names.IngressGateway)
	entries := []catalog.Entry{
		&catalog.Settings{Namespace: meshNamespace, Permissive: oneIn(t, 6, "permissive")}, &catalog.Namespace{Name: "shop", Monitored: true},
		&catalog.ServiceAccount{Name: entity.Name(account), UID: "1"}, &catalog.GatewayClass{Name: "osm"},
		&inventory.Service{Name: entity.Name(account), Ports: []inventory.Port{{Number: 80, TargetPort: gatewayPort}}},
		web, api, service("web", "web", 1), service("api", "api", 2), service("idle", "nobody", 3), Slice(Name("shop", "web"), web), Slice(Name("shop", "api"), api),
		&catalog.Gateway{Name: Name("shop", "public"), Class: "osm", Listeners: []catalog.GatewayListener{{Name: "plain", Port: 80, Protocol: "HTTP", From: "Same"}}},
	}
	for _, name := range []string{"g1", "g2"} {
		path := "/.*"
		if oneIn(t, 2, "some paths of "+name) {
			path = anyPathRegex.Draw(t, "path of "+name)
		}
		entries = append(entries, Group("shop", name, path))
	}
	for _, destination := range []string{"web", "api"} {
		if !oneIn(t, 5, "no policy for "+destination) {
			source := account
			if oneIn(t, 5, "another client") {
				source = SA("shop", "till")
			}
			entries = append(entries, Target("to-"+destination, SA("shop", destination), []catalog.TargetRule{HTTP(oneOf([]string{"g1", "g2"}).Draw(t, "group"))}, source))
		}
	}
	if oneIn(t, 3, "split") {
		split := &catalog.TrafficSplit{Name: Name("shop", "split"), Root: Name("shop", "web"), Backends: []catalog.SplitBackend{{Service: Name("shop", "api"), Weight: 1}}}
		if oneIn(t, 3, "with matches") {
			split.Matches = []string{"g1"}
		}
		entries = append(entries, split)
	}
	for i := range 1 + below(t, 2, "routes") {
		entries = append(entries, drawRoute(t, fmt.Sprintf("r%d", i)))
	}
	return entries
}

func drawRoute(t *rapid.T, name string) *catalog.HTTPRoute {
	route := &catalog.HTTPRoute{Kind: entity.KindHTTPRoute, Name: Name("shop", name), Parents: []catalog.RouteParent{{Gateway: Name("shop", "public")}}}
	for range 1 + below(t, 2, "rules") {
		match := catalog.RouteMatch{PathType: oneOf([]string{"PathPrefix", "PathPrefix", "Exact", "RegularExpression"}).Draw(t, "type")}
		if match.PathType == "RegularExpression" {
			match.Path = anyPathRegex.Draw(t, "expression")
		} else {
			match.Path = "/" + oneOf([]string{"", "", "", "a", "b", "admin", "a/b"}).Draw(t, "path")
		}
		if oneIn(t, 4, "a method") {
			match.Method = anyMethod.Draw(t, "method")
		}
		if oneIn(t, 4, "a header") {
			match.Headers = []catalog.ValueMatch{{Name: "x-user", Value: "alice"}}
		}
		rule := catalog.HTTPRouteRule{Matches: []catalog.RouteMatch{match}}
		for range 1 + below(t, 2, "backends") {
			rule.Backends = append(rule.Backends, catalog.RouteBackend{
				Service: Name("shop", oneOf([]string{"web", "web", "api", "idle"}).Draw(t, "backend")), Port: 80, Weight: uint32(below(t, 3, "weight")),
			})
		}
		route.Rules = append(route.Rules, rule)
	}
	return route
}

// configure sends the configuration of a mesh to the gateway and the servers.
func (n *gatewayNetwork) configure(t *testing.T, c *catalog.Catalog) {
	t.Helper()
	v := c.View()
	gatewayKey := scope.Key{Identity: SA(meshNamespace, names.IngressGateway), Proxy: scope.ProxyIngressGateway}
	for _, p := range []struct {
		pod *podstest.Pod
		key scope.Key
	}{
		{n.web, scope.KeyOfServices(SA("shop", "web"), []entity.Name{Name("shop", "web")})},
		{n.api, scope.KeyOfServices(SA("shop", "api"), []entity.Name{Name("shop", "api")})},
		{n.gateway, gatewayKey},
	} {
		s := scope.Build(v, trustDomain, p.key)
		var endpoints []scope.Endpoints
		for _, cluster := range s.Clusters {
			endpoints = append(endpoints, scope.BuildEndpoints(v, cluster.Endpoints))
		}
		p.pod.Configure(t, s, endpoints...)
	}
}

// send sends a request to the gateway.
func (n *gatewayNetwork) send(t *testing.T, r Request) string {
	t.Helper()
	conn, err := n.client.Dial(t, netip.AddrPortFrom(n.gateway.IP, gatewayPort).String())
	if err != nil {
		return refused
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(responseTimeout)); err != nil {
		t.Fatal(err)
	}
	return sendHTTP(conn, r, ofMesh)
}

// disagreement describes how a response differs from the answers of osm explain; empty if they agree.
func (n *gatewayNetwork) disagreement(entries []catalog.Entry, r Request, observed string) string {
	c := Apply(entries...)
	described := map[string]bool{}
	for _, service := range []string{"web", "api", "idle"} {
		byClient := map[string][]string{}
		for _, client := range []string{"outside", meshNamespace + "/sa/" + names.IngressGateway} {
			q, err := explain.ParseQuestion([]string{client, "to", "shop/svc/" + service + ":80", r.Method, r.Path}, nil, "shop")
			if err != nil {
				return fmt.Sprintf("osm explain does not parse the question: %v", err)
			}
			q.Headers, q.WithoutRemedy = r.Headers, true
			answer, err := explain.Evaluate(context.Background(), gatewayMesh(c, entries), q)
			if err != nil {
				return fmt.Sprintf("osm explain has no answer: %v", err)
			}
			allowed := false
			for _, way := range answer.Candidates {
				if way.Gateway == "" {
					continue
				}
				seen := observationOf(way)
				if seen == "" {
					_, account, _ := strings.Cut(way.Destination, "/")
					seen, allowed = account+":8080", true
				}
				described[seen] = true
				if way.Outcome == string(authz.Unavailable) && service != "idle" {
					// A connection from before a permission was removed stays open until it is drained, but its requests are checked.
					described["403"], described["404"], described["400"] = true, true, true
				}
				byClient[client] = append(byClient[client], fmt.Sprint(seen, " ", way.Gateway))
			}
			if answer.Allowed != allowed {
				return fmt.Sprintf("osm explain %s -> %s is allowed: %t, by its ways %t", client, service, answer.Allowed, allowed)
			}
		}
		if lists := slices.Collect(maps.Values(byClient)); len(byClient) == 1 || len(lists) == 2 && !slices.Equal(lists[0], lists[1]) {
			return fmt.Sprintf("osm explain has different ways to %s: %v", service, byClient)
		}
	}
	if len(described) == 0 && observed != "web:8080" && observed != "api:8080" || described[observed] || (observed == "500" || observed == "403") && hasNoWeight(entries) {
		return ""
	}
	if observed == "404" && !isCertain(entries) {
		return "" // no rule has the headers of the request
	}
	return fmt.Sprintf("the client sees %s, and osm explain describes %v", observed, slices.Sorted(maps.Keys(described)))
}

// hasNoWeight reports whether a rule has no backend with a weight: its requests get status 500, or 403 if no policy lets the gateway call any.
func hasNoWeight(entries []catalog.Entry) bool {
	return hasRule(entries, func(rule catalog.HTTPRouteRule) bool {
		return !slices.ContainsFunc(rule.Backends, func(b catalog.RouteBackend) bool { return b.Weight > 0 })
	})
}

// isCertain reports whether osm explain compares everything that routes compare. It compares no headers.
func isCertain(entries []catalog.Entry) bool {
	return !hasRule(entries, func(rule catalog.HTTPRouteRule) bool { return len(rule.Matches[0].Headers) > 0 })
}

func hasRule(entries []catalog.Entry, matches func(catalog.HTTPRouteRule) bool) bool {
	return slices.ContainsFunc(entries, func(e catalog.Entry) bool {
		route, ok := e.(*catalog.HTTPRoute)
		return ok && slices.ContainsFunc(route.Rules, matches)
	})
}

func gatewayMesh(c *catalog.Catalog, entries []catalog.Entry) explain.Mesh {
	return explain.Mesh{
		Name: meshName, Catalog: c,
		Exists: func(ref entity.Ref) bool {
			return slices.ContainsFunc(entries, func(e catalog.Entry) bool { return e.Ref() == ref })
		},
		Account: func(context.Context, string, string, string) (string, bool, error) { return "", false, nil },
	}
}

// routesText describes the drawn objects.
func routesText(entries []catalog.Entry) string {
	var text strings.Builder
	for _, e := range entries {
		switch e.(type) {
		case *catalog.HTTPRoute, *catalog.TrafficTarget, *catalog.HTTPRouteGroup, *catalog.TrafficSplit, *catalog.Settings:
			_, _ = fmt.Fprintf(&text, "%T %+v\n", e, e)
		}
	}
	return text.String()
}
