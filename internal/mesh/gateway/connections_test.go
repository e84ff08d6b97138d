package gateway_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/gateway"
)

func connections(name, protocol, hostname string) catalog.GatewayListener {
	return catalog.GatewayListener{Name: name, Port: 443, Protocol: protocol, Hostname: hostname, From: "Same"}
}

func connectionRoute(kind entity.Kind, name string, age int, hostnames ...string) *catalog.HTTPRoute {
	r := route(shop, name, hostnames, rule("/", to(shop)))
	r.Kind, r.Created = kind, time.Unix(int64(-age), 0)
	return r
}

// TestListenersForConnections checks which listeners with the protocols TLS and TCP are accepted.
func TestListenersForConnections(t *testing.T) {
	terminating := connections("a", "TLS", "")
	terminating.Terminate = true
	tls := entity.Name{Namespace: shop, Name: "tls"}
	for name, c := range map[string]struct {
		listeners []catalog.GatewayListener
		want      string
	}{
		"TLS":                    {[]catalog.GatewayListener{connections("a", "TLS", "a.test"), connections("b", "TLS", "*.test")}, "Accepted Accepted"},
		"TLS that is terminated": {[]catalog.GatewayListener{terminating}, "UnsupportedValue"},
		"TCP":                    {[]catalog.GatewayListener{connections("a", "TCP", "")}, "Accepted"},
		"two of TCP":             {[]catalog.GatewayListener{connections("a", "TCP", ""), connections("b", "TCP", "")}, "Accepted HostnameConflict"},
		"the same host":          {[]catalog.GatewayListener{connections("a", "TLS", "a.test"), connections("b", "TLS", "a.test")}, "Accepted HostnameConflict"},
		"TLS and HTTPS":          {[]catalog.GatewayListener{connections("a", "TLS", "a.test"), https("b", "b.test", tls)}, "Accepted ProtocolConflict"},
	} {
		result := gateway.Resolve(mesh(gatewayOf("web", c.listeners...)))
		var got []string
		for _, l := range result.Gateways[0].Listeners {
			got = append(got, l.Accepted.Reason)
			if l.Served != l.Accepted.OK {
				t.Errorf("%s: listener %s is accepted %t and served %t", name, l.Name, l.Accepted.OK, l.Served)
			}
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

// TestRoutesOfConnections checks which route has the connections to each server name: the oldest one of the most specific name, of the listener with the
// most specific hostname. A listener without a route for a name keeps it from others.
func TestRoutesOfConnections(t *testing.T) {
	web := gatewayOf("web", connections("all", "TLS", ""), connections("wild", "TLS", "*.a.test"), connections("none", "TLS", "x.a.test"))
	toWild := connectionRoute(entity.KindTLSRoute, "wild", 3, "*.test")
	toWild.Parents[0].Section = "wild"
	result := gateway.Resolve(mesh(web, toWild, connectionRoute(entity.KindTLSRoute, "old", 2, "one.a.test", "b.test"), connectionRoute(entity.KindTLSRoute, "new", 1, "b.test"),
		connectionRoute(entity.KindGatewayTCPRoute, "tcp", 4), connectionRoute(entity.KindHTTPRoute, "http", 4)))
	want := map[string]string{"all": "* none, b.test old", "wild": "*.a.test wild, one.a.test old", "none": "x.a.test none"}
	for _, l := range result.Listeners {
		var got []string
		for _, host := range l.Hosts {
			name := "none"
			for _, rule := range host.Rules {
				name = rule.Route.Name.Name
			}
			got = append(got, host.Domain+" "+name)
		}
		if strings.Join(got, ", ") != want[l.Name] {
			t.Errorf("listener %s has %s, want %s", l.Name, got, want[l.Name])
		}
	}
	checkRoutes(t, result, map[string]string{
		"wild": "Accepted ", "old": "Accepted ", "new": "Accepted Connections to b.test of listener all of Gateway shop/web have the older TLSRoute shop/old.",
		"tcp":  "NotAllowedByListeners allowedRoutes of Gateway shop/web do not admit TCPRoutes of the namespace shop.",
		"http": "NotAllowedByListeners allowedRoutes of Gateway shop/web do not admit HTTPRoutes of the namespace shop.",
	})
}

// TestTCPRoutes checks that the oldest TCPRoute of a listener has all connections, and that both are attached.
func TestTCPRoutes(t *testing.T) {
	result := gateway.Resolve(mesh(gatewayOf("web", connections("a", "TCP", "")), connectionRoute(entity.KindGatewayTCPRoute, "new", 1), connectionRoute(entity.KindGatewayTCPRoute, "old", 2)))
	if l := result.Listeners[0]; len(l.Hosts) != 1 || l.Hosts[0].Domain != "*" || l.Hosts[0].Rules[0].Route.Name.Name != "old" || l.Hosts[0].Rules[0].Backends[0].Service == nil {
		t.Errorf("%+v, want the connections to have the older route", l)
	}
	if status := result.Gateways[0].Listeners[0]; status.AttachedRoutes != 2 || fmt.Sprint(status.Kinds) != "[TCPRoute.gateway.networking.k8s.io]" {
		t.Errorf("%+v, want two routes of this kind", status)
	}
	checkRoutes(t, result, map[string]string{"old": "Accepted ", "new": "Accepted Connections to * of listener a of Gateway shop/web have the older TCPRoute shop/old."})
}

func checkRoutes(t *testing.T, result gateway.Result, want map[string]string) {
	t.Helper()
	for _, r := range result.Routes {
		if got := r.Parents[0].Accepted; got.Reason+" "+got.Message != want[r.Route.Name.Name] {
			t.Errorf("%s: %s %s, want %s", r.Route.Name, got.Reason, got.Message, want[r.Route.Name.Name])
		}
		delete(want, r.Route.Name.Name)
	}
	if len(want) > 0 {
		t.Errorf("these routes have no status: %v", want)
	}
}

// TestConnectionsOfOtherNamespaces checks that no listener gets a server name that a route of another namespace already has, and that a TCPRoute needs a
// grant for a Service of another namespace.
func TestConnectionsOfOtherNamespaces(t *testing.T) {
	thief := &catalog.Gateway{Name: entity.Name{Namespace: other, Name: "thief"}, Created: time.Unix(1, 0), Class: "osm", Listeners: []catalog.GatewayListener{connections("a", "TLS", "b.test")}}
	result := gateway.Resolve(mesh(gatewayOf("web", connections("all", "TLS", "")), thief, connectionRoute(entity.KindTLSRoute, "r", 1, "b.test")))
	if got := result.Gateways[1].Listeners[0].Accepted; got.OK || got.Reason != "HostnameConflict" {
		t.Errorf("a listener for a server name that another namespace has: %+v", got)
	}
	remote := connectionRoute(entity.KindGatewayTCPRoute, "r", 1)
	remote.Rules[0].Backends[0].Service.Namespace = other
	grant := &catalog.ReferenceGrant{
		Name: entity.Name{Namespace: other, Name: "g"}, To: []catalog.GrantedObject{{Kind: "Service"}},
		From: []catalog.GrantedReferrer{{Group: gateway.Group, Kind: "TCPRoute", Namespace: shop}},
	}
	for want, entries := range map[string][]catalog.Entry{"RefNotPermitted": nil, "ResolvedRefs": {grant}} {
		result := gateway.Resolve(mesh(append(entries, gatewayOf("web", connections("a", "TCP", "")), remote)...))
		if got := result.Routes[0].Parents[0].ResolvedRefs.Reason; got != want {
			t.Errorf("a backend of another namespace: %s, want %s", got, want)
		}
	}
}
