package gateway_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/gateway"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// dedicated is the class of a mesh whose Gateways have pods of their own.
func dedicated(ports ...uint16) *catalog.GatewayClass {
	return &catalog.GatewayClass{Name: "osm", PerGateway: true, Ports: ports}
}

func onPort(port uint16, l catalog.GatewayListener) catalog.GatewayListener {
	l.Port = port
	return l
}

// served returns the listeners of a result: "<Gateway>/<listener> <port>-><port of the pods>".
func served(result gateway.Result) []string {
	var list []string
	for i := range result.Listeners {
		l := &result.Listeners[i]
		list = append(list, fmt.Sprintf("%s/%s %d->%d", l.Gateway, l.Name, l.Port, l.Bind))
	}
	slices.Sort(list)
	return list
}

// TestGatewaysWithPodsOfTheirOwnShareNothing checks that two Gateways have one port and host, that each has its own routes, and that the pods of one get
// nothing of the other.
func TestGatewaysWithPodsOfTheirOwnShareNothing(t *testing.T) {
	own, remote := entity.Name{Namespace: shop, Name: "tls"}, entity.Name{Namespace: other, Name: "tls"}
	v := mesh(dedicated(),
		gatewayOf("web", http("a", "a.example"), https("tls", "a.example", own)), neighbour("web", http("a", "a.example"), https("tls", "a.example", remote)),
		route(shop, "r", []string{"a.example"}, rule("/", to(shop))), neighbourRoute("r", "web", "a.example"))
	result := gateway.Resolve(v)
	want := []string{"other/web/a 80->10080", "other/web/tls 443->10443", "shop/web/a 80->10080", "shop/web/tls 443->10443"}
	if got := served(result); !slices.Equal(got, want) {
		t.Errorf("served are %q, want %q", got, want)
	}
	if len(result.Routes) != 2 || len(result.Gateways) != 2 || len(result.Services) != 2 {
		t.Errorf("%d routes, %d Gateways and %d Services, want two of each", len(result.Routes), len(result.Gateways), len(result.Services))
	}
	for _, namespace := range []string{shop, other} {
		pods := gateway.ResolvePods(v, names.DedicatedGateway(namespace, "web"))
		if len(pods.Listeners) != 2 {
			t.Fatalf("the pods of %s/web have the listeners %q", namespace, served(pods))
		}
		for i := range pods.Listeners {
			l := &pods.Listeners[i]
			rules := l.Hosts[0].Rules
			if l.Gateway.Namespace != namespace || len(rules) != 1 || rules[0].Route.Name.Namespace != namespace {
				t.Errorf("the pods of %s/web have the listener %s/%s with %d rules", namespace, l.Gateway, l.Name, len(rules))
			}
			for _, c := range l.Certificates {
				if c.Name.Namespace != namespace {
					t.Errorf("the pods of %s/web get the certificate %s", namespace, c.Name)
				}
			}
		}
	}
	if pods := gateway.ResolvePods(v, names.DedicatedGateway(shop, "gone")); len(pods.Listeners) > 0 {
		t.Errorf("the pods of a deleted Gateway serve %q", served(pods))
	}
}

// TestRouteOfTwoGateways checks that a route has the status of both, and the oldest objects come first.
func TestRouteOfTwoGateways(t *testing.T) {
	r := route(shop, "r", nil, rule("/", to(shop)))
	r.Parents = append(r.Parents, catalog.RouteParent{Gateway: entity.Name{Namespace: shop, Name: "api"}})
	young := gatewayOf("api", http("a", ""))
	young.Created = time.Unix(10, 0)
	result := gateway.Resolve(mesh(dedicated(), young, gatewayOf("web", http("a", "")), r))
	if len(result.Routes) != 1 || len(result.Routes[0].Parents) != 2 || !result.Routes[0].Parents[1].Accepted.OK {
		t.Errorf("the routes are %+v, want one with two parents", result.Routes)
	}
	if result.Gateways[0].Gateway.Name.Name != "web" {
		t.Errorf("the first Gateway is %s, want the oldest", result.Gateways[0].Gateway.Name)
	}
}

// TestPodsServeOnWhileTheModeChanges checks that the pods of both modes keep their listeners until they are deleted.
func TestPodsServeOnWhileTheModeChanges(t *testing.T) {
	for _, class := range []*catalog.GatewayClass{{Name: "osm"}, dedicated()} {
		v := mesh(class, gatewayOf("web", http("a", "a.example")), neighbour("web", http("a", "b.example")))
		shared, own := served(gateway.ResolvePods(v, "")), served(gateway.ResolvePods(v, names.DedicatedGateway(shop, "web")))
		if len(shared) != 2 || len(own) != 1 {
			t.Errorf("PerGateway %t: the shared pods serve %q, and those of one Gateway %q", class.PerGateway, shared, own)
		}
	}
}

// TestPortsOfDedicatedGateways checks which ports a Gateway can have.
func TestPortsOfDedicatedGateways(t *testing.T) {
	for name, test := range map[string]struct {
		class     *catalog.GatewayClass
		listeners []catalog.GatewayListener
		want      string
		message   string
	}{
		"any port":                {dedicated(), []catalog.GatewayListener{onPort(8443, http("a", ""))}, "map[8443:8443]", ""},
		"two listeners of a port": {dedicated(), []catalog.GatewayListener{http("a", ""), http("b", "b.example")}, "map[80:10080]", ""},
		"a port that is allowed":  {dedicated(80, 8080), []catalog.GatewayListener{onPort(8080, http("a", ""))}, "map[8080:8080]", ""},
		"a port that is not":      {dedicated(80), []catalog.GatewayListener{onPort(8080, http("a", ""))}, "", "add it to spec.ingressGateway.ports"},
		"a port of Envoy":         {dedicated(), []catalog.GatewayListener{onPort(15000, http("a", ""))}, "", "15000 belongs to Envoy"},
		"the last port of Envoy":  {dedicated(), []catalog.GatewayListener{onPort(15999, http("a", ""))}, "", "belongs to Envoy"},
		"a port of the pods":      {dedicated(), []catalog.GatewayListener{http("a", ""), onPort(10080, http("b", ""))}, "map[80:10080]", "one port for the ports 80 and 10080"},
		"it comes first":          {dedicated(), []catalog.GatewayListener{onPort(10080, http("b", "")), http("a", "")}, "map[10080:10080]", "one port for the ports 10080 and 80"},
		"connections":             {dedicated(), []catalog.GatewayListener{onPort(5432, connections("a", "TCP", "")), connections("b", "TLS", "b.test")}, "map[443:10443 5432:5432]", ""},
		"another protocol":        {dedicated(), []catalog.GatewayListener{{Name: "a", Port: 5432, Protocol: "UDP"}}, "", "UDP is not supported"},
	} {
		t.Run(name, func(t *testing.T) {
			v := mesh(test.class, gatewayOf("web", test.listeners...))
			var ports string
			for _, d := range gateway.DedicatedGateways(v) {
				ports = fmt.Sprint(d.Ports)
			}
			if ports != test.want {
				t.Errorf("the ports are %q, want %q", ports, test.want)
			}
			result := gateway.Resolve(v)
			var messages []string
			for _, l := range result.Gateways[0].Listeners {
				messages = append(messages, l.Accepted.Message)
			}
			if text := strings.Join(messages, ""); !strings.Contains(text, test.message) || (text == "") != (test.message == "") {
				t.Errorf("the listeners have the messages %q, want %q", messages, test.message)
			}
		})
	}
}

// TestGatewaysOfOneNamespaceAreBounded checks that a namespace cannot run any number of pods, that the oldest Gateways have theirs, and that Gateways
// without pods do not count.
func TestGatewaysOfOneNamespaceAreBounded(t *testing.T) {
	entries := []catalog.Entry{dedicated(), neighbour("web", http("a", "")), gatewayOf("a-without-port", onPort(15000, http("a", "")))}
	for i := range gateway.MaxDedicated + 4 {
		g := gatewayOf(fmt.Sprintf("g%d", i), http("a", ""))
		g.Created = time.Unix(100-int64(i), 0)
		entries = append(entries, g)
	}
	v := mesh(entries...)
	var got []string
	for _, d := range gateway.DedicatedGateways(v) {
		got = append(got, d.Gateway.Name.String())
	}
	if len(got) != gateway.MaxDedicated+1 || !slices.Contains(got, fmt.Sprintf("shop/g%d", gateway.MaxDedicated+3)) || slices.Contains(got, "shop/g0") || !slices.Contains(got, "other/web") {
		t.Errorf("these have pods: %q, want the oldest of each namespace", got)
	}
	for _, status := range gateway.Resolve(v).Gateways {
		l, has := status.Listeners[0], slices.Contains(got, status.Gateway.Name.String())
		if has != l.Accepted.OK || !has && status.Gateway.Name.Name != "a-without-port" && (l.Accepted.Reason != "TooManyGateways" || !strings.Contains(status.Accepted.Message, "more than 32 Gateways")) {
			t.Errorf("%s: pods %t, listener %+v, %+v", status.Gateway.Name, has, l.Accepted, status.Accepted)
		}
	}
}

// TestGatewaysOfTheMeshAreBounded checks that many namespaces together cannot run any number of pods either.
func TestGatewaysOfTheMeshAreBounded(t *testing.T) {
	entries := []catalog.Entry{dedicated()}
	for i := range gateway.MaxDedicatedOfMesh + 5 {
		g := gatewayOf("web", http("a", ""))
		g.Name.Namespace = fmt.Sprint("n", i)
		entries = append(entries, g)
	}
	if all := gateway.DedicatedGateways(mesh(entries...)); len(all) != gateway.MaxDedicatedOfMesh {
		t.Errorf("%d Gateways have pods, want %d", len(all), gateway.MaxDedicatedOfMesh)
	}
}

// TestNamespaceWithoutGatewaysHasNoPods checks that only the namespaces that may have Gateways get pods.
func TestNamespaceWithoutGatewaysHasNoPods(t *testing.T) {
	class := dedicated()
	class.Namespaces = []string{shop}
	v := mesh(class, gatewayOf("web", http("a", "")), neighbour("web", http("a", "")))
	if all := gateway.DedicatedGateways(v); len(all) != 1 || all[0].Gateway.Name.Namespace != shop {
		t.Errorf("%d Gateways have pods, want only that of %s", len(all), shop)
	}
}

// TestInfrastructureHasAnEffect checks that labels and annotations are named as fields without effect only where all Gateways share pods.
func TestInfrastructureHasAnEffect(t *testing.T) {
	for class, want := range map[*catalog.GatewayClass]string{
		{Name: "osm"}: "These fields have no effect: spec.addresses, spec.infrastructure.labels.", dedicated(): "These fields have no effect: spec.addresses.",
	} {
		g := gatewayOf("web", http("a", ""))
		g.Ignored = []string{"spec.addresses", catalog.InfrastructureLabels}
		if got := gateway.Resolve(mesh(class, g)).Gateways[0].Accepted.Message; got != want {
			t.Errorf("PerGateway %t: %q, want %q", class.PerGateway, got, want)
		}
	}
}

// TestParametersAreRejected checks that a Gateway that an object configures is not served, because nothing reads the object, and says so.
func TestParametersAreRejected(t *testing.T) {
	g := gatewayOf("web", http("a", ""))
	g.Parameters = "ConfigMap settings"
	v := mesh(dedicated(), g)
	if all := gateway.DedicatedGateways(v); len(all) > 0 {
		t.Errorf("%v have pods", all)
	}
	status := gateway.Resolve(v).Gateways[0]
	if got := status.Listeners[0].Accepted; got.OK || got.Reason != "InvalidParameters" {
		t.Errorf("its listener has %+v", got)
	}
	if status.Accepted.OK || status.Accepted.Reason != "InvalidParameters" || !strings.Contains(status.Accepted.Message, "ConfigMap settings") || status.Listeners[0].Served {
		t.Errorf("the Gateway has %+v", status)
	}
}
