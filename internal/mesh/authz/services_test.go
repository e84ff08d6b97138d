package authz_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/ingressbackend"
	. "github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// TestEffectiveProtocol checks that HTTP on any Service port applies to the container port behind it.
func TestEffectiveProtocol(t *testing.T) {
	ports := func(name string, list ...inventory.Port) *inventory.Service {
		s := Service("shop", name, "web", "10.96.0.1", 1, inventory.ProtocolTCP)
		s.Ports = list
		return s
	}
	tcp := func(number, target uint16) inventory.Port {
		return inventory.Port{Number: number, TargetPort: target, Protocol: inventory.ProtocolTCP}
	}
	of := func(number, target uint16, protocol inventory.Protocol) inventory.Port {
		return inventory.Port{Number: number, TargetPort: target, Protocol: protocol}
	}
	assumed := func(number, target uint16) inventory.Port {
		return inventory.Port{Number: number, TargetPort: target, Protocol: inventory.ProtocolHTTP, Assumed: true}
	}
	pod := Pod("shop", "web-1", "web", "one", "10.0.0.1")
	for name, test := range map[string]struct {
		services []catalog.Entry
		want     inventory.Protocol
	}{
		"bytes":                            {[]catalog.Entry{ports("a", tcp(80, 8080))}, inventory.ProtocolTCP},
		"requests":                         {[]catalog.Entry{ports("a", of(80, 8080, inventory.ProtocolGRPC), of(81, 8080, inventory.ProtocolHTTP))}, inventory.ProtocolGRPC},
		"another port of the Service":      {[]catalog.Entry{ports("a", tcp(80, 8080), of(81, 8080, inventory.ProtocolGRPC))}, inventory.ProtocolGRPC},
		"another container port":           {[]catalog.Entry{ports("a", tcp(80, 8080), of(81, 9090, inventory.ProtocolHTTP))}, inventory.ProtocolTCP},
		"after a port of bytes":            {[]catalog.Entry{ports("a", tcp(80, 8080), tcp(81, 8080), of(82, 8080, inventory.ProtocolHTTP))}, inventory.ProtocolHTTP},
		"another Service of the pods":      {[]catalog.Entry{ports("a", tcp(80, 8080)), ports("b", tcp(1, 1), of(80, 8080, inventory.ProtocolHTTP))}, inventory.ProtocolHTTP},
		"another Service for another port": {[]catalog.Entry{ports("a", tcp(80, 8080)), ports("b", of(80, 9090, inventory.ProtocolHTTP))}, inventory.ProtocolTCP},
		"nothing declared":                 {[]catalog.Entry{ports("a", assumed(80, 8080))}, inventory.ProtocolHTTP},
		"declared, and assumed by another": {[]catalog.Entry{ports("a", of(80, 8080, inventory.ProtocolTCPServerFirst)), ports("b", assumed(80, 8080))}, inventory.ProtocolTCPServerFirst},
		"assumed, and declared by another": {[]catalog.Entry{ports("a", assumed(80, 8080)), ports("b", of(80, 8080, inventory.ProtocolTCPServerFirst))}, inventory.ProtocolTCPServerFirst},
		"assumed, and another port":        {[]catalog.Entry{ports("a", assumed(80, 8080)), ports("b", tcp(80, 9090))}, inventory.ProtocolHTTP},
		"assumed twice":                    {[]catalog.Entry{ports("a", assumed(80, 8080)), ports("b", assumed(80, 8080))}, inventory.ProtocolHTTP},
		"assumed, and both declared":       {[]catalog.Entry{ports("a", assumed(80, 8080)), ports("b", tcp(80, 8080), of(81, 8080, inventory.ProtocolHTTP))}, inventory.ProtocolHTTP},
	} {
		entries := append([]catalog.Entry{&catalog.Namespace{Name: "shop", Monitored: true}, pod, Slice(Name("shop", "a"), pod), Slice(Name("shop", "b"), pod)}, test.services...)
		v := Apply(entries...).View()
		service := v.Service(Name("shop", "a"))
		if got := authz.EffectiveProtocol(v, service, service.Ports[0]); got != test.want {
			t.Errorf("%s: the protocol is %s, want %s", name, got, test.want)
		}
	}
}

// TestProtocolConflictsNameTheDecidingService has ports whose clients speak another protocol than the server's sidecar expects.
func TestProtocolConflictsNameTheDecidingService(t *testing.T) {
	pod := Pod("shop", "web-1", "web", "one", "10.0.0.1")
	tcp, other := Service("shop", "tcp", "web", "10.96.0.1", 80, inventory.ProtocolTCP), Service("shop", "other", "web", "10.96.0.2", 80, inventory.ProtocolHTTP)
	for assumed, want := range map[bool]map[string]string{
		false: {"tcp": "80 is http by shop/other"}, true: {"other": "80 is tcp by shop/tcp"},
	} {
		other.Ports[0].Assumed = assumed
		v := Apply(&catalog.Namespace{Name: "shop", Monitored: true}, pod, Slice(tcp.Name, pod), Slice(other.Name, pod), tcp, other).View()
		for _, service := range []*inventory.Service{tcp, other} {
			var got string
			for _, c := range authz.ProtocolConflicts(v, service) {
				got += fmt.Sprintf("%d is %s by %s", c.Port.Number, c.Effective, c.By)
			}
			if got != want[service.Name.Name] {
				t.Errorf("assumed %t: conflicts of %s are %q, want %q", assumed, service.Name, got, want[service.Name.Name])
			}
		}
	}
}

// TestEffectiveProtocolIsOwn checks that an HTTP port keeps its protocol, whatever other ports to the same container port have.
func TestEffectiveProtocolIsOwn(t *testing.T) {
	service := Service("shop", "a", "web", "10.96.0.1", 80, inventory.ProtocolHTTP)
	service.Ports = append(service.Ports, inventory.Port{Number: 81, TargetPort: 80, Protocol: inventory.ProtocolGRPC})
	v := Apply(&catalog.Namespace{Name: "shop", Monitored: true}, service).View()
	if got := authz.EffectiveProtocol(v, service, service.Ports[1]); got != inventory.ProtocolGRPC {
		t.Errorf("the protocol of the second port is %s, want grpc", got)
	}
}

// TestCrossNamespaceServicesAreBounded checks how many ports of another namespace a client gets, which Services it keeps, and what a verdict on the others is.
func TestCrossNamespaceServicesAreBounded(t *testing.T) {
	client := SA("buy", "client")
	const portsEach = 400
	entries := []catalog.Entry{
		&catalog.Namespace{Name: "shop", Monitored: true}, &catalog.Namespace{Name: "buy", Monitored: true}, Group("shop", "all", "/.*"), Group("buy", "all", "/.*"),
		Target("shop", SA("shop", "web"), []catalog.TargetRule{HTTP("all")}, client), Target("own", SA("buy", "web"), []catalog.TargetRule{HTTP("all")}, client),
		splitOf("s", "root", 0, nil, backend("a", 1)),
	}
	for _, namespace := range []string{"shop", "buy"} {
		pod := Pod(namespace, "web", "web", "web", map[string]string{"shop": "10.0.0.1", "buy": "10.0.0.2"}[namespace])
		entries = append(entries, pod)
		for i, name := range []string{"a", "b", "c", "d"} {
			s := Service(namespace, name, "web", fmt.Sprintf("10.96.%d.%d", len(namespace), i+1), 1, inventory.ProtocolHTTP)
			for number := uint16(2); number <= portsEach; number++ {
				s.Ports = append(s.Ports, inventory.Port{Number: number, TargetPort: number, Protocol: inventory.ProtocolHTTP})
			}
			if name == "c" {
				s.Ports = s.Ports[:200]
			}
			entries = append(entries, s, Slice(s.Name, pod))
		}
	}
	v := Apply(entries...).View()
	want := []entity.Name{Name("buy", "a"), Name("buy", "b"), Name("buy", "c"), Name("buy", "d"), Name("shop", "a"), Name("shop", "b"), Name("shop", "c")}
	if diff := cmp.Diff(want, authz.GrantedServices(v, client)); diff != "" {
		t.Errorf("Services (-want +got):\n%s", diff)
	}
	for service, outcome := range map[entity.Name]authz.Outcome{Name("shop", "c"): authz.Allowed, Name("shop", "d"): authz.Reset, Name("buy", "d"): authz.Allowed} {
		got := authz.Decide(v, authz.Request{Source: client, Service: service, Port: 1, Method: "GET", Path: "/"})
		if !got.Always(outcome) || (outcome == authz.Reset) != strings.Contains(got.Answers[0].Missing, "the first ones by name within 1000 ports,") {
			t.Errorf("a request to %s: %+v, want %s", service, got.Answers, outcome)
		}
	}
}

// TestGrantedServices checks that roots of splits count, and that permissive namespaces do not.
func TestGrantedServices(t *testing.T) {
	yes := true
	v := Apply(shop(splitOf("s", "empty", 0, nil, backend("web", 1)), &catalog.Namespace{Name: "any", Monitored: true, Permissive: &yes},
		Pod("any", "x", "x", "x", "10.0.0.8"), Service("any", "x", "x", "10.96.0.8", 80, inventory.ProtocolHTTP), Group("any", "all", "/"),
		Target("t", SA("any", "x"), []catalog.TargetRule{HTTP("all")}, SA("buy", "thief")))...).View()
	want := []entity.Name{Name("shop", "bare"), Name("shop", "db"), Name("shop", "empty"), Name("shop", "web")}
	if diff := cmp.Diff(want, authz.GrantedServices(v, SA("buy", "thief"))); diff != "" {
		t.Errorf("Services (-want +got):\n%s", diff)
	}
}

// TestEgressToAddressOfService checks that an Egress decides about a Service that the client may not call, as about any address.
func TestEgressToAddressOfService(t *testing.T) {
	source := SA("buy", "stranger")
	allow := func(protocol inventory.Protocol, change func(*catalog.Egress)) *catalog.Egress {
		e := &catalog.Egress{Name: Name("buy", "out"), Hosts: []string{"legacy.shop"}, Ports: []catalog.EgressPort{{Number: 80, Protocol: protocol}, {Number: 3306, Protocol: protocol}}}
		e.Sources = append(e.Sources, source)
		change(e)
		return e
	}
	restricted := func(e *catalog.Egress) { e.Restricted, e.RouteGroups = true, []string{"beta"} }
	beta := &catalog.HTTPRouteGroup{Name: Name("buy", "beta"), Matches: []catalog.HTTPMatch{{Headers: []catalog.HeaderMatch{{Name: "x-beta", Regex: "yes"}}}}}
	header := authz.Header{Name: "x-beta", Value: "yes"}
	host := authz.Header{Name: ":authority", Value: "legacy.shop"}
	for name, test := range map[string]struct {
		egress  *catalog.Egress
		request authz.Request
		want    authz.Outcome
	}{
		"its address":         {allow(inventory.ProtocolTCP, within("10.96.0.2/32")), authz.Request{Service: Name("shop", "legacy"), Port: 80}, authz.PassedThrough},
		"another address":     {allow(inventory.ProtocolTCP, within("10.96.0.9/32")), authz.Request{Service: Name("shop", "legacy"), Port: 80}, authz.Reset},
		"the chosen pod":      {allow(inventory.ProtocolTCP, within("10.0.0.1/32")), authz.Request{Service: Name("shop", "bare"), Port: 80, Pod: netip.MustParseAddr("10.0.0.1")}, authz.PassedThrough},
		"no such Service":     {allow(inventory.ProtocolTCP, within("10.0.0.1/32")), authz.Request{Service: Name("shop", "none"), Port: 80, Pod: netip.MustParseAddr("10.0.0.1")}, authz.PassedThrough},
		"its host":            {allow(inventory.ProtocolHTTP, all()), authz.Request{Service: Name("shop", "legacy"), Port: 80, Headers: []authz.Header{host}}, authz.PassedThrough},
		"another host":        {allow(inventory.ProtocolHTTP, all()), authz.Request{Service: Name("shop", "legacy"), Port: 80, Headers: []authz.Header{{Name: ":authority", Value: "web.shop"}}}, authz.NotFound},
		"a matching header":   {allow(inventory.ProtocolHTTP, restricted), authz.Request{Service: Name("shop", "legacy"), Port: 80, Path: "/", Headers: []authz.Header{host, header}}, authz.PassedThrough},
		"without the header":  {allow(inventory.ProtocolHTTP, restricted), authz.Request{Service: Name("shop", "legacy"), Port: 80, Path: "/", Headers: []authz.Header{host}}, authz.NotFound},
		"an ambiguous path":   {allow(inventory.ProtocolHTTP, restricted), authz.Request{Service: Name("shop", "legacy"), Port: 80, Path: "//", Headers: []authz.Header{host}}, authz.BadRequest},
		"bytes on that port":  {allow(inventory.ProtocolHTTP, all()), authz.Request{Service: Name("shop", "db"), Port: 3306, Headers: []authz.Header{host}}, authz.Reset},
		"a port of no Egress": {allow(inventory.ProtocolTCP, all()), authz.Request{Service: Name("shop", "web"), Port: 81}, authz.Reset},
	} {
		test.request.Source, test.request.Method = source, "GET"
		got := authz.Decide(Apply(shop(test.egress, beta, &catalog.Settings{EgressPolicies: true})...).View(), test.request)
		if !got.Always(test.want) || got.Connectable() {
			t.Errorf("%s: %+v, connectable %t; want %s, not connectable", name, got.Answers, got.Connectable(), test.want)
		}
	}
}

// TestFragmentInBytes checks that only sidecars that read requests reject a fragment.
func TestFragmentInBytes(t *testing.T) {
	r := authz.Request{Source: SA("buy", "buyer"), Service: Name("shop", "db"), Port: 3306, Path: "/#"}
	if got := authz.Decide(Apply(shop()...).View(), r); !got.Always(authz.Allowed) {
		t.Errorf("a connection to a TCP port: %+v, want allowed", got.Answers)
	}
}

// TestIngressFromServices checks the requests of a gateway that is no source of the policy, by its addresses.
func TestIngressFromServices(t *testing.T) {
	nginx := Pod("ingress", "nginx", "nginx", "nginx", "192.0.2.1")
	outsider := Pod("ingress", "outsider", "nginx", "nginx", "198.51.100.1")
	gateway := func(pods ...*inventory.Instance) authz.Outcome {
		policy := &ingressbackend.Policy{
			Name: Name("shop", "open"), Backends: []ingressbackend.Port{{Service: Name("shop", "web"), TargetPort: 8080}},
			Gateways: []entity.Name{Name("ingress", "listed")}, Prefixes: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}, RouteGroups: []string{"none", "paths"},
		}
		v := Apply(&catalog.Settings{IngressBackends: true}, policy, &catalog.Namespace{Name: "shop", Monitored: true}, Group("shop", "paths", "/"), nginx, outsider,
			Service("ingress", "other", "nginx", "10.96.0.9", 80, inventory.ProtocolHTTP), Slice(Name("ingress", "other"), pods...)).View()
		if got := authz.DecideIngress(v, authz.IngressRequest{Service: Name("shop", "web"), TargetPort: 8080, Gateway: Name("ingress", "listed"), Path: "/"}); got.Outcome != authz.Allowed {
			t.Errorf("a gateway among the sources: %s, want allowed", got.Outcome)
		}
		return authz.DecideIngress(v, authz.IngressRequest{Service: Name("shop", "web"), TargetPort: 8080, Gateway: Name("ingress", "other"), Path: "/"}).Outcome
	}
	for name, test := range map[string]struct {
		pods []*inventory.Instance
		want authz.Outcome
	}{
		"all pods are in a range": {[]*inventory.Instance{nginx}, authz.Allowed},
		"one pod is in no range":  {[]*inventory.Instance{nginx, outsider}, authz.Reset},
		"the gateway has no pods": {nil, authz.Reset},
		"its only pod is in none": {[]*inventory.Instance{outsider}, authz.Reset},
	} {
		if got := gateway(test.pods...); got != test.want {
			t.Errorf("%s: %s, want %s", name, got, test.want)
		}
	}
}

// TestRouteRules checks rules that depend on ports of the backends and of the root.
func TestRouteRules(t *testing.T) {
	unnamed := splitOf("ab", "books", 0, []string{"none", "unnamed"}, backend("books-v2", 1), backend("root", 1))
	group := &catalog.HTTPRouteGroup{Name: Name("shop", "unnamed"), Matches: []catalog.HTTPMatch{{PathRegex: "/x"}}}
	v := Apply(store(unnamed, group)...).View()
	books := v.Service(Name("shop", "books"))
	describe := func(rules []authz.RouteRule) []string {
		var list []string
		for _, rule := range rules {
			line := fmt.Sprintf("%v to", rule.Matches)
			for _, b := range rule.Backends {
				line += fmt.Sprintf(" %s:%d", b.Service.Name.Name, b.TargetPort)
			}
			list = append(list, line)
		}
		return list
	}
	want := []string{"[HTTPRouteGroup shop/unnamed] to books-v2:9090", "[] to books:80"}
	rules := authz.RouteRules(v, "", books, books.Ports[0])
	if diff := cmp.Diff(want, describe(rules)); diff != "" {
		t.Errorf("rules of the HTTP port (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"[] to books:3306"}, describe(authz.RouteRules(v, "", books, books.Ports[1]))); diff != "" {
		t.Errorf("rules of the TCP port (-want +got):\n%s", diff)
	}
	for path, number := range map[string]int{"/x": 0, "/y": 1} {
		if diff := cmp.Diff(describe(rules[number:number+1]), describe([]authz.RouteRule{authz.MatchRule(rules, authz.Request{Path: path})})); diff != "" {
			t.Errorf("the rule for %s (-want +got):\n%s", path, diff)
		}
	}
	headless := &inventory.Service{Name: Name("shop", "h")}
	for weight, chooses := range map[uint32]bool{0: false, 1: true} {
		if got := (authz.RouteRule{Backends: []authz.WeightedBackend{{Service: headless, Weight: weight}}}).ClientChoosesPod(headless); got != chooses {
			t.Errorf("with weight %d the client chooses its pod: %t, want %t", weight, got, chooses)
		}
	}
}
