package gateway_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/gateway"
)

// TestHostsOfOtherListeners checks which hosts each listener with TLS serves, and for which it answers that another one does.
func TestHostsOfOtherListeners(t *testing.T) {
	tls := entity.Name{Namespace: shop, Name: "tls"}
	remote := &catalog.Gateway{Name: entity.Name{Namespace: other, Name: "web"}, Class: "osm", Listeners: []catalog.GatewayListener{
		https("deep", "a.b.example.com", entity.Name{Namespace: other, Name: "tls"}), https("far", "far.test", entity.Name{Namespace: other, Name: "tls"}),
	}}
	web := gatewayOf("web", https("wild", "*.example.com", tls), https("one", "one.example.com", tls), https("unusable", "x.example.com"), https("org", "shop.test", tls))
	result := gateway.Resolve(mesh(web, remote, route(shop, "r", []string{"one.example.com", "two.example.com", "a.b.example.com", "shop.test"}, rule("/", to(shop)))))
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

// nested returns wildcards, each of which includes the following ones, below a domain.
func nested(domain string, number int) []catalog.GatewayListener {
	var list []catalog.GatewayListener
	for i := range number {
		list = append(list, https(fmt.Sprintf("l%02d", i), "*."+strings.Repeat("a.", i)+domain, entity.Name{Namespace: shop, Name: "tls"}))
	}
	return list
}

// TestHostsOfManyListeners checks that the answers for hosts of other listeners do not grow with the pairs of listeners: a wildcard stands for those that it
// includes, and a listener with many others answers for all hosts that it does not serve.
func TestHostsOfManyListeners(t *testing.T) {
	for number, want := range map[int][3]string{
		3: {"*.a.example.com", "*.a.a.example.com *.example.com", "*.a.example.com *.example.com"},
		// The last one has 16 that include it, and the next to last 15.
		17: {"*.a.example.com", "*.a.a.example.com *.example.com", "16 domains"},
		18: {"*.a.example.com", "*.a.a.example.com *.example.com", "*"},
	} {
		listeners := gateway.Resolve(mesh(gatewayOf("web", nested("example.com", number)...))).Listeners
		if len(listeners) != number {
			t.Fatalf("%d listeners are served, want %d", len(listeners), number)
		}
		slices.SortFunc(listeners, func(a, b gateway.Listener) int { return strings.Compare(a.Name, b.Name) })
		for i, l := range []gateway.Listener{listeners[0], listeners[1], listeners[number-1]} {
			got := strings.Join(l.Misdirected, " ")
			if len(l.Misdirected) > 3 {
				got = fmt.Sprintf("%d domains", len(l.Misdirected))
			}
			if got != want[i] {
				t.Errorf("of %d listeners, %s directs %s elsewhere, want %s", number, l.Hostname, got, want[i])
			}
		}
	}
}

// TestHostsOfUnreadListeners checks that a listener whose certificate was not read yet has the same answers as with it.
func TestHostsOfUnreadListeners(t *testing.T) {
	listeners := nested("example.com", 3)
	listeners[0].Certificates = []entity.Name{{Namespace: shop, Name: "unread"}}
	result := gateway.Resolve(mesh(gatewayOf("web", listeners...)))
	if len(result.Unread) != 1 || strings.Join(result.Unread[0].Misdirected, " ") != "*.a.example.com" {
		t.Errorf("the unread listeners are %+v", result.Unread)
	}
}
