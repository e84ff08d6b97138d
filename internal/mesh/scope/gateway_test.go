package scope_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// gatewayMesh has a Gateway with a route to a Service that a TrafficSplit divides between two others.
func gatewayMesh(entries ...catalog.Entry) *catalog.Catalog {
	in := func(name string) entity.Name { return entity.Name{Namespace: "shop", Name: name} }
	c := catalog.New()
	all := append([]catalog.Entry{
		&catalog.Settings{Namespace: "osm-system"},
		&catalog.Namespace{Name: "shop", Monitored: true},
		&catalog.GatewayClass{Name: "osm"},
		&inventory.Service{Name: entity.Name{Namespace: "osm-system", Name: names.IngressGateway}, Ports: []inventory.Port{{Number: 80, TargetPort: 10080}}},
		&catalog.Gateway{Name: in("web"), Class: "osm", Listeners: []catalog.GatewayListener{{Name: "a", Port: 80, Protocol: "HTTP", From: "Same"}}},
		&catalog.HTTPRoute{Kind: entity.KindHTTPRoute, Name: in("r"), Parents: []catalog.RouteParent{{Gateway: in("web")}}, Rules: []catalog.HTTPRouteRule{{
			Matches: []catalog.RouteMatch{{PathType: "PathPrefix", Path: "/"}}, Backends: []catalog.RouteBackend{{Service: in("root"), Port: 80, Weight: 1}},
		}}},
		&catalog.TrafficSplit{Name: in("s"), Root: in("root"), Backends: []catalog.SplitBackend{{Service: in("v1"), Weight: 90}, {Service: in("v2"), Weight: 10}}},
		&catalog.HTTPRouteGroup{Name: in("all"), Matches: []catalog.HTTPMatch{{Name: "all", PathRegex: ".*"}}},
	}, entries...)
	for _, version := range []string{"root", "v1", "v2"} {
		labels := map[string]string{"app": version}
		all = append(all,
			&inventory.Service{Name: in(version), Selector: labels, Ports: []inventory.Port{{Number: 80, TargetPort: 8080, Protocol: inventory.ProtocolHTTP}}},
			&inventory.Instance{Name: in(version), ServiceAccount: version, Labels: labels, Injected: true})
	}
	for _, entry := range all {
		c.Apply([]catalog.Change{catalog.Set(entry)})
	}
	return c
}

func grantGateway(to, from string) *catalog.TrafficTarget {
	return &catalog.TrafficTarget{
		Name: entity.Name{Namespace: "shop", Name: "to-" + to}, Destination: identity.ServiceAccount{Namespace: "shop", Name: to},
		Sources: []identity.ServiceAccount{{Namespace: "osm-system", Name: from}},
		Rules:   []catalog.TargetRule{{Kind: entity.KindHTTPRouteGroup, Name: "all"}},
	}
}

func gatewayScope(c *catalog.Catalog) *scope.Scope {
	key := scope.Key{Identity: identity.ServiceAccount{Namespace: "osm-system", Name: names.IngressGateway}, Proxy: scope.ProxyIngressGateway}
	return scope.Build(c.View(), "cluster.local", key)
}

// TestGatewayIsAClient checks that servers are called by their policies, and that a TrafficSplit divides the requests.
func TestGatewayIsAClient(t *testing.T) {
	for name, test := range map[string]struct {
		entries []catalog.Entry
		denied  bool
	}{
		"no policy":          {nil, true},
		"a policy of others": {[]catalog.Entry{grantGateway("v1", "nginx")}, true},
		"a policy":           {[]catalog.Entry{grantGateway("v1", names.IngressGateway)}, false},
		"permissive mode":    {[]catalog.Entry{&catalog.Settings{Namespace: "osm-system", Permissive: true}}, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := gatewayScope(gatewayMesh(test.entries...))
			route := s.IngressGateway.Listeners[0].Hosts[0].Routes[0]
			if route.Denied != test.denied {
				t.Errorf("denied %t, want %t", route.Denied, test.denied)
			}
			if got, want := backendsText(route.Backends), "[{shop/v1|8080 900} {shop/v2|8080 100}]"; got != want {
				t.Errorf("backends %s, want %s", got, want)
			}
			if len(s.Clusters) != 2 || len(s.Outbound)+len(s.Inbound) > 0 {
				t.Errorf("%d clusters, %d outbound and %d inbound ports, want only the clusters of the route", len(s.Clusters), len(s.Outbound), len(s.Inbound))
			}
		})
	}
}

// TestOnlyGatewayPodsAreGateways checks that no pod outside the namespace of the mesh becomes a gateway, and gets the keys of listeners.
func TestOnlyGatewayPodsAreGateways(t *testing.T) {
	c := gatewayMesh()
	labels := map[string]string{names.AppLabel: names.IngressGateway}
	for name, test := range map[string]struct {
		pod  inventory.Instance
		want bool
	}{
		"the gateway":       {inventory.Instance{Name: entity.Name{Namespace: "osm-system", Name: "g"}, ServiceAccount: names.IngressGateway, Labels: labels, Injected: true}, true},
		"another namespace": {inventory.Instance{Name: entity.Name{Namespace: "shop", Name: "g"}, ServiceAccount: names.IngressGateway, Labels: labels, Injected: true}, false},
		"another account":   {inventory.Instance{Name: entity.Name{Namespace: "osm-system", Name: "g"}, ServiceAccount: "grafana", Labels: labels, Injected: true}, false},
	} {
		if got := scope.KeyFor(c.View(), &test.pod).Proxy == scope.ProxyIngressGateway; got != test.want {
			t.Errorf("%s: gateway %t, want %t", name, got, test.want)
		}
	}
}

// TestPodsOfOneGateway checks that the pods of a Gateway are known by their labels and their identity, and get its listeners and certificates only.
func TestPodsOfOneGateway(t *testing.T) {
	in := func(namespace, name string) entity.Name { return entity.Name{Namespace: namespace, Name: name} }
	listener := func(namespace string) catalog.GatewayListener {
		return catalog.GatewayListener{Name: "a", Port: 443, Protocol: "HTTPS", Terminate: true, From: "Same", Certificates: []entity.Name{in(namespace, "tls")}}
	}
	entries := []catalog.Entry{&catalog.GatewayClass{Name: "osm", PerGateway: true}, &catalog.Namespace{Name: "other", Monitored: true}}
	for _, namespace := range []string{"shop", "other"} {
		entries = append(entries, &catalog.Gateway{Name: in(namespace, "own"), Class: "osm", Listeners: []catalog.GatewayListener{listener(namespace)}},
			&catalog.GatewayCertificate{Name: in(namespace, "tls"), ChainPEM: []byte("chain"), KeyPEM: []byte("key of " + namespace)})
	}
	c := gatewayMesh(entries...)
	own := names.DedicatedGateway("other", "own")
	pod := func(namespace, account, app string) *inventory.Instance {
		return &inventory.Instance{Name: in(namespace, "g"), ServiceAccount: account, Labels: map[string]string{names.AppLabel: app}, Injected: true}
	}
	key := scope.KeyFor(c.View(), pod("osm-system", names.IngressGateway, own))
	if key.Proxy != scope.ProxyIngressGateway || key.Gateway != own || !c.View().IsServed(pod("osm-system", names.IngressGateway, own)) {
		t.Fatalf("the key is %+v", key)
	}
	s := scope.Build(c.View(), "cluster.local", key)
	if got := s.IngressGateway; len(got.Listeners) != 1 || got.Listeners[0].Name != "other/own/a" || len(got.Certificates) != 1 || string(got.Certificates[0].KeyPEM) != "key of other" {
		t.Errorf("the pods of other/own get %+v", got)
	}
	for name, other := range map[string]*inventory.Instance{
		"another namespace": pod("shop", names.IngressGateway, own), "another account": pod("osm-system", "grafana", own), "another label": pod("osm-system", names.IngressGateway, "x"),
	} {
		if key := scope.KeyFor(c.View(), other); key.Proxy != scope.ProxySidecar || key.Gateway != "" {
			t.Errorf("%s: the key is %+v", name, key)
		}
	}
}

// TestGatewayRoutesWithoutServer checks the answers where a backend does not exist, and that a certificate of several listeners is sent once.
func TestGatewayRoutesWithoutServer(t *testing.T) {
	in := func(name string) entity.Name { return entity.Name{Namespace: "shop", Name: name} }
	route := &catalog.HTTPRoute{Kind: entity.KindHTTPRoute, Name: in("r"), Parents: []catalog.RouteParent{{Gateway: in("web")}}, Rules: []catalog.HTTPRouteRule{{
		Matches: []catalog.RouteMatch{{PathType: "PathPrefix", Path: "/"}}, Backends: []catalog.RouteBackend{{Service: in("gone"), Port: 80, Weight: 2}},
	}}}
	listener := func(name, host string) catalog.GatewayListener {
		return catalog.GatewayListener{Name: name, Port: 443, Protocol: "HTTPS", Hostname: host, Terminate: true, From: "Same", Certificates: []entity.Name{in("tls")}}
	}
	s := gatewayScope(gatewayMesh(route,
		&inventory.Service{Name: entity.Name{Namespace: "osm-system", Name: names.IngressGateway}, Ports: []inventory.Port{{Number: 443, TargetPort: 10443}}},
		&catalog.GatewayCertificate{Name: in("tls"), ChainPEM: []byte("chain"), KeyPEM: []byte("key")},
		&catalog.Gateway{Name: in("web"), Class: "osm", Listeners: []catalog.GatewayListener{listener("a", "a.example.com"), listener("b", "b.example.com")}}))
	if len(s.IngressGateway.Listeners) != 2 || len(s.IngressGateway.Certificates) != 1 || string(s.IngressGateway.Certificates[0].KeyPEM) != "key" {
		t.Fatalf("%d listeners with the certificates %+v, want two listeners with one", len(s.IngressGateway.Listeners), s.IngressGateway.Certificates)
	}
	for _, l := range s.IngressGateway.Listeners {
		if !slices.Equal(l.Certificates, []string{"shop/tls"}) {
			t.Errorf("the listener %s names the certificates %v, want that of its Secret", l.Name, l.Certificates)
		}
	}
	got := s.IngressGateway.Listeners[0].Hosts[0].Routes[0]
	if got.Denied || backendsText(got.Backends) != "[{ 2000}]" {
		t.Errorf("a route to no Service is denied %t with the backends %v, want its weight without a cluster, and no denial", got.Denied, got.Backends)
	}
}

// TestGatewayRoutesWithSeveralBackends checks when a route is denied, and which backends answer 500.
func TestGatewayRoutesWithSeveralBackends(t *testing.T) {
	in := func(name string) entity.Name { return entity.Name{Namespace: "shop", Name: name} }
	split := func(backends ...catalog.SplitBackend) catalog.Entry {
		return &catalog.TrafficSplit{Name: in("s"), Root: in("root"), Backends: backends}
	}
	toV1 := grantGateway("v1", names.IngressGateway)
	for name, test := range map[string]struct {
		services []string
		entries  []catalog.Entry
		want     string
		denied   bool
	}{
		"a missing one and one that it may not call":    {[]string{"v1", "gone"}, nil, "[{shop/v1|8080 1000} { 1000}]", true},
		"one that it may call and one that it may not":  {[]string{"v1", "v2"}, []catalog.Entry{toV1}, "[{shop/v1|8080 1000} {shop/v2|8080 1000}]", false},
		"one that it may not call and one that it may":  {[]string{"v2", "v1"}, []catalog.Entry{toV1}, "[{shop/v2|8080 1000} {shop/v1|8080 1000}]", false},
		"a split without backends":                      {[]string{"root"}, []catalog.Entry{toV1, split()}, "[{ 1000}]", false},
		"a split whose backends have the weight 0":      {[]string{"root"}, []catalog.Entry{toV1, split(catalog.SplitBackend{Service: in("v1")})}, "[{ 1000}]", false},
		"a split whose backend does not exist":          {[]string{"root"}, []catalog.Entry{toV1, split(catalog.SplitBackend{Service: in("gone"), Weight: 1})}, "[{ 1000}]", false},
		"a split between one that it may call, and not": {[]string{"root"}, []catalog.Entry{toV1}, "[{shop/v1|8080 900} {shop/v2|8080 100}]", false},
	} {
		rule := catalog.HTTPRouteRule{Matches: []catalog.RouteMatch{{PathType: "PathPrefix", Path: "/"}}}
		for _, service := range test.services {
			rule.Backends = append(rule.Backends, catalog.RouteBackend{Service: in(service), Port: 80, Weight: 1})
		}
		route := &catalog.HTTPRoute{Kind: entity.KindHTTPRoute, Name: in("r"), Parents: []catalog.RouteParent{{Gateway: in("web")}}, Rules: []catalog.HTTPRouteRule{rule}}
		got := gatewayScope(gatewayMesh(append(test.entries, route)...)).IngressGateway.Listeners[0].Hosts[0].Routes[0]
		if backendsText(got.Backends) != test.want || got.Denied != test.denied {
			t.Errorf("%s: the backends are %v, denied %t; want %s, %t", name, got.Backends, got.Denied, test.want, test.denied)
		}
	}
}

// TestBackendsOfTheGatewayAreComputedOnce checks that the work for a TrafficSplit does not depend on how many matches lead to its root.
func TestBackendsOfTheGatewayAreComputedOnce(t *testing.T) {
	in := func(name string) entity.Name { return entity.Name{Namespace: "shop", Name: name} }
	split := &catalog.TrafficSplit{Name: in("s"), Root: in("root")}
	more := []catalog.Entry{split}
	for i := range 100 {
		name := in(fmt.Sprint("b", i))
		split.Backends = append(split.Backends, catalog.SplitBackend{Service: name, Weight: 1})
		more = append(more, &inventory.Service{Name: name, Selector: map[string]string{"app": "v1"}, Ports: []inventory.Port{{Number: 80, TargetPort: 8080, Protocol: inventory.ProtocolHTTP}}})
	}
	work := func(matches int) float64 {
		rule := catalog.HTTPRouteRule{Backends: []catalog.RouteBackend{{Service: in("root"), Port: 80, Weight: 1}}}
		for i := range matches {
			rule.Matches = append(rule.Matches, catalog.RouteMatch{PathType: "Exact", Path: fmt.Sprint("/", i)})
		}
		route := &catalog.HTTPRoute{Kind: entity.KindHTTPRoute, Name: in("r"), Parents: []catalog.RouteParent{{Gateway: in("web")}}, Rules: []catalog.HTTPRouteRule{rule}}
		c := gatewayMesh(append(more, route)...)
		return testing.AllocsPerRun(3, func() { gatewayScope(c) })
	}
	if few, many := work(1), work(100); many > 2*few {
		t.Errorf("%.0f allocations for one match, and %.0f for 100", few, many)
	}
}

// backendsText returns backends without filters as text.
func backendsText(backends []scope.Backend) string {
	return strings.ReplaceAll(fmt.Sprint(backends), " <nil>", "")
}
