package gateway_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/gateway"
	"github.com/openservicemesh/osm-operator/internal/testing/cost"
)

// open is a listener for routes of all namespaces.
func open(name, hostname string) catalog.GatewayListener {
	l := http(name, hostname)
	l.From = "All"
	return l
}

// rules returns rules with different paths.
func rules(namespace string, number int) []catalog.HTTPRouteRule {
	var list []catalog.HTTPRouteRule
	for i := range number {
		list = append(list, rule(fmt.Sprint("/", i), to(namespace)))
	}
	return list
}

// hosts returns different host names.
func hosts(route, number int) []string {
	var list []string
	for i := range number {
		list = append(list, fmt.Sprintf("h%d-%d.example", route, i))
	}
	return list
}

// routesOf counts the rules of all hosts.
func routesOf(result gateway.Result) int {
	count := 0
	for _, l := range result.Listeners {
		for _, host := range l.Hosts {
			count += len(host.Rules)
		}
	}
	return count
}

// statusOf returns the status of a route for its parent.
func statusOf(t *testing.T, result gateway.Result, name string) gateway.Verdict {
	t.Helper()
	for _, r := range result.Routes {
		if r.Route.Name.Name == name {
			return r.Parents[0].Accepted
		}
	}
	t.Fatalf("route %s has no status", name)
	return gateway.Verdict{}
}

// TestHTTPRoutesOfOneNamespaceLeaveRoomForOthers checks that a namespace cannot fill the ingress gateway, which all namespaces share.
func TestHTTPRoutesOfOneNamespaceLeaveRoomForOthers(t *testing.T) {
	entries := []catalog.Entry{gatewayOf("web", open("a", "")), route(shop, "z", []string{"shop.example"}, rules(shop, 10)...)}
	const number, each = 40, 100
	for i := range number {
		entries = append(entries, route(other, fmt.Sprintf("r%02d", i), hosts(i, 16), rules(other, each)...))
	}
	result := gateway.Resolve(mesh(entries...))
	if got := routesOf(result); got > authz.MaxRoutes || got < authz.MaxRoutes-2*16*each {
		t.Errorf("the ingress gateway has %d routes, want nearly %d", got, authz.MaxRoutes)
	}
	last := statusOf(t, result, fmt.Sprintf("r%02d", number-1))
	if last.OK || last.Reason != "TooManyRoutes" || !strings.Contains(last.Message, "namespace other exceed 50000 routes") {
		t.Errorf("the last route of the namespace has %+v", last)
	}
	for _, name := range []string{"r00", "z"} {
		if got := statusOf(t, result, name); !got.OK || got.Message != "" {
			t.Errorf("route %s has %+v", name, got)
		}
	}
}

// TestWildcardsDoNotMultiplyWithHosts checks the routes of hosts that a wildcard of another namespace includes.
func TestWildcardsDoNotMultiplyWithHosts(t *testing.T) {
	const number, each = 100, 100
	entries := []catalog.Entry{gatewayOf("web", open("a", "")), route(shop, "wildcard", []string{"*.example"}, rules(shop, each)...)}
	for i := range number {
		entries = append(entries, route(other, fmt.Sprintf("r%02d", i), hosts(i, 16), rules(other, 1)...))
	}
	result := gateway.Resolve(mesh(entries...))
	if got, most := routesOf(result), authz.MaxRoutes+each+16*number; got > most || got < most-2*each-16*number {
		t.Errorf("the ingress gateway has %d routes, want nearly %d", got, most)
	}
	if got := statusOf(t, result, "wildcard"); !got.OK || got.Message != "" {
		t.Errorf("the wildcard has %+v", got)
	}
	narrowed := 0
	for _, r := range result.Routes {
		accepted := r.Parents[0].Accepted
		if !accepted.OK {
			t.Errorf("route %s has %+v", r.Route.Name, accepted)
		}
		if strings.Contains(accepted.Message, "no rules of less specific hostnames") {
			narrowed++
		}
	}
	if narrowed == 0 || narrowed == number {
		t.Errorf("%d of %d routes have hosts without the rules of the wildcard", narrowed, number)
	}
	for _, host := range result.Listeners[0].Hosts {
		if host.Domain != "*" && len(host.Rules) == 0 {
			t.Errorf("host %s has lost its own rules", host.Domain)
		}
	}
}

// BenchmarkLinearHosts measures that many hosts do not delay the configuration of all sidecars.
func BenchmarkLinearHosts(b *testing.B) {
	const size, factor = 100, 12
	operation := func(n int) func() {
		entries := []catalog.Entry{gatewayOf("web", open("a", ""))}
		for i := range n {
			entries = append(entries, gatewayOf(fmt.Sprint("g", i), open("a", fmt.Sprintf("g%d.example", i))), route(other, fmt.Sprint("r", i), hosts(i, 16), rule("/", to(other))))
		}
		v := mesh(entries...)
		return func() { gateway.Resolve(v) }
	}
	cost.Linear(b, factor, operation(size), operation(size*factor))
}

// TestBackendsOfSplitsCountInTheGateway checks that the root of a TrafficSplit counts as all backends of the split: the route of each match has them.
func TestBackendsOfSplitsCountInTheGateway(t *testing.T) {
	root := entity.Name{Namespace: other, Name: "books"}
	split := &catalog.TrafficSplit{Name: root, Root: root}
	for i := range 256 {
		split.Backends = append(split.Backends, catalog.SplitBackend{Service: entity.Name{Namespace: other, Name: fmt.Sprint("v", i)}, Weight: 1})
	}
	result := gateway.Resolve(mesh(gatewayOf("web", open("a", "")), split,
		route(other, "few", []string{"few.example"}, rules(other, 100)...), route(other, "many", []string{"many.example"}, rules(other, 100)...),
		route(shop, "z", []string{"shop.example"}, rules(shop, 100)...)))
	for name, want := range map[string]bool{"few": true, "many": false, "z": true} {
		if got := statusOf(t, result, name); got.OK != want || !want && got.Reason != "TooManyRoutes" {
			t.Errorf("route %s has %+v", name, got)
		}
	}
}
