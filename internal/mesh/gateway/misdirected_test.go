package gateway_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/gateway"
)

// TestHostsOfOtherListeners checks which hosts each listener with TLS serves, and for which it answers that another one does.
func TestHostsOfOtherListeners(t *testing.T) {
	tls := catalog.Name{Namespace: shop, Name: "tls"}
	foreign := &catalog.Gateway{Name: catalog.Name{Namespace: other, Name: "web"}, Class: "osm", Listeners: []catalog.GatewayListener{
		https("deep", "a.b.example.com", catalog.Name{Namespace: other, Name: "tls"}), https("far", "far.test", catalog.Name{Namespace: other, Name: "tls"}),
	}}
	web := gatewayOf("web", https("wild", "*.example.com", tls), https("one", "one.example.com", tls), https("unusable", "x.example.com"), https("org", "shop.test", tls))
	result := gateway.Resolve(mesh(web, foreign, route(shop, "r", []string{"one.example.com", "two.example.com", "a.b.example.com", "shop.test"}, rule("/", to(shop)))))
	want := map[string][2]string{
		"wild": {"*.example.com two.example.com", "a.b.example.com one.example.com shop.test"},
		"one":  {"one.example.com", "*.example.com shop.test"},
		"org":  {"shop.test", "*.example.com one.example.com"},
		"deep": {"a.b.example.com", "*.example.com far.test"},
		"far":  {"far.test", "a.b.example.com"},
	}
	for _, l := range result.Listeners {
		var hosts []string
		for _, host := range l.Hosts {
			hosts = append(hosts, host.Domain)
		}
		if got := [2]string{strings.Join(hosts, " "), strings.Join(l.Misdirected, " ")}; got != want[l.Name] {
			t.Errorf("listener %s serves and directs elsewhere %q, want %q", l.Name, got, want[l.Name])
		}
		delete(want, l.Name)
	}
	if len(want) > 0 {
		t.Errorf("these listeners are not served: %v", want)
	}
}

// TestHostsWithoutTLS checks that hosts of other listeners need no answer without TLS: connections have no server name, and the listeners of a port share
// their routes.
func TestHostsWithoutTLS(t *testing.T) {
	result := gateway.Resolve(mesh(gatewayOf("web", http("wild", "*.example.com"), http("one", "one.example.com"))))
	if slices.ContainsFunc(result.Listeners, func(l gateway.Listener) bool { return len(l.Misdirected) > 0 }) {
		t.Errorf("listeners %+v", result.Listeners)
	}
}
