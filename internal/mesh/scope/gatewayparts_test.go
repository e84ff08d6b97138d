package scope

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/gateway"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/upstream"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
	"github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// gatewayOf returns a builder of a gateway for a namespace shop with the Services open, which it may call, closed, and root, which a TrafficSplit without weights divides.
func gatewayOf(t *testing.T) (o gatewayBuilder, service func(name string) gateway.Backend) {
	t.Helper()
	client := meshtest.SA("osm-system", "gateway")
	entries := []catalog.Entry{
		&catalog.Settings{Namespace: "osm-system"}, &catalog.Namespace{Name: "shop", Monitored: true}, meshtest.Group("shop", "all", "/.*"), &catalog.TCPRoute{Name: meshtest.Name("shop", "any")},
		meshtest.Target("t", meshtest.SA("shop", "open"), []catalog.TargetRule{meshtest.TCP("any")}, client),
		&catalog.TrafficSplit{Name: meshtest.Name("shop", "s"), Root: meshtest.Name("shop", "root"), Backends: []catalog.SplitBackend{{Service: meshtest.Name("shop", "open")}}},
	}
	for i, name := range []string{"open", "closed", "root"} {
		pod := meshtest.Pod("shop", name, name, name, fmt.Sprint("10.0.0.", i+1))
		entries = append(entries, pod, meshtest.Service("shop", name, name, fmt.Sprint("10.96.0.", i+1), 80, inventory.ProtocolTCP))
	}
	v := meshtest.Apply(entries...).View()
	o = gatewayBuilder{outboundBuilder{view: v, client: client, clusters: map[string]Cluster{}}, map[gatewayPort]gatewayShares{}}
	return o, func(name string) gateway.Backend {
		s := v.Service(meshtest.Name("shop", name))
		return gateway.Backend{Service: s, Port: s.Ports[0], Weight: 1}
	}
}

// routeTo returns the only rule of a route for connections.
func routeTo(name string, backends ...gateway.Backend) []gateway.Rule {
	return []gateway.Rule{{Route: &catalog.HTTPRoute{Kind: entity.KindTLSRoute, Name: meshtest.Name("shop", name)}, Backends: backends}}
}

// TestConnectionsByServerName checks the server names of routes, and that a listener closes all other connections.
func TestConnectionsByServerName(t *testing.T) {
	o, service := gatewayOf(t)
	one, two := routeTo("one", service("open")), routeTo("two", service("open"))
	for name, test := range map[string]struct {
		hosts []gateway.Host
		want  string
	}{
		"nothing":                           {nil, "[]"},
		"any name without a route":          {[]gateway.Host{{Domain: "*"}}, "[]"},
		"any name without a route, and one": {[]gateway.Host{{Domain: "*"}, {Domain: "a.test", Rules: one}}, "[one[a.test]]"},
		"any name":                          {[]gateway.Host{{Domain: "*", Rules: one}}, "[one[]]"},
		"any name, and one of it":           {[]gateway.Host{{Domain: "*", Rules: one}, {Domain: "a.test", Rules: one}}, "[one[]]"},
		"any name last, and one of it":      {[]gateway.Host{{Domain: "a.test", Rules: one}, {Domain: "*", Rules: one}}, "[one[]]"},
		"any name, and one of another":      {[]gateway.Host{{Domain: "a.test", Rules: two}, {Domain: "*", Rules: one}}, "[two[a.test] one[]]"},
		"names without a route":             {[]gateway.Host{{Domain: "a.test"}, {Domain: "b.test", Rules: one}, {Domain: "c.test"}}, "[[a.test c.test] one[b.test]]"},
	} {
		var got []string
		for _, route := range o.gatewayConnections(&gateway.Listener{Hosts: test.hosts}) {
			got = append(got, fmt.Sprint(route.Route.Name.Name, route.ServerNames))
		}
		if fmt.Sprint(got) != test.want {
			t.Errorf("%s: %s, want %s", name, got, test.want)
		}
	}
}

// TestBackendsOfConnections checks that one backend that may be called is enough, and that no cluster is added without need.
func TestBackendsOfConnections(t *testing.T) {
	for name, test := range map[string]struct {
		backends []string
		want     int
		clusters []string
	}{
		"one that it may call":                   {[]string{"open"}, 1, []string{"shop/open|80"}},
		"one that it may not call":               {[]string{"closed"}, 0, []string{"shop/closed|80"}},
		"the first of both":                      {[]string{"open", "closed"}, 2, []string{"shop/closed|80", "shop/open|80"}},
		"the last of both":                       {[]string{"closed", "open"}, 2, []string{"shop/closed|80", "shop/open|80"}},
		"a TrafficSplit whose weights are all 0": {[]string{"root"}, 1, nil},
	} {
		o, service := gatewayOf(t)
		var backends []gateway.Backend
		for _, backend := range test.backends {
			backends = append(backends, service(backend))
		}
		got := o.connectionBackends(routeTo("one", backends...))
		if diff := cmp.Diff(test.clusters, clusterNamesOf(sortedClusters(o.clusters))); diff != "" || len(got) != test.want {
			t.Errorf("%s: %d backends, want %d; clusters (-want +got):\n%s", name, len(got), test.want, diff)
		}
		for name, cluster := range o.clusters {
			if cluster.HTTP != "" {
				t.Errorf("the cluster %s of a TCP port has HTTP %s", name, cluster.HTTP)
			}
		}
	}
}

// TestListenersOfTheGateway checks the demand for certificates, and changes of the requests to one backend.
func TestListenersOfTheGateway(t *testing.T) {
	o, service := gatewayOf(t)
	filters := &catalog.HeaderFilters{}
	rule := routeTo("one", service("open"), service("closed"))[0]
	rule.Route.Kind, rule.Rule = entity.KindHTTPRoute, &catalog.HTTPRouteRule{Backends: []catalog.RouteBackend{{}, {Filters: filters}}}
	l := o.gatewayListener(&gateway.Listener{
		Gateway: meshtest.Name("shop", "web"), Name: "a", Port: 443, Clients: &gateway.Clients{AllowInvalid: true}, Hosts: []gateway.Host{{Domain: "*", Rules: []gateway.Rule{rule}}},
	})
	if l.Clients == nil || *l.Clients != (GatewayClients{"shop/web|443", true}) {
		t.Errorf("the listener demands %+v", l.Clients)
	}
	if got := l.Hosts[0].Routes[0].Backends; len(got) != 2 || got[0].Filters != nil || got[1].Filters != filters {
		t.Errorf("the backends are %+v", got)
	}
	if l := o.gatewayListener(&gateway.Listener{}); l.Clients != nil {
		t.Errorf("a listener without a demand has %+v", l.Clients)
	}
}

// TestChecksOfTheGatewayAreSpread checks that gateways are clients of other namespaces, too.
func TestChecksOfTheGatewayAreSpread(t *testing.T) {
	const pods = 63 // the number for which 32 pods and more count
	entries := []catalog.Entry{
		&catalog.Settings{Namespace: "osm-system"}, &catalog.Namespace{Name: "shop", Monitored: true}, &catalog.GatewayClass{Name: "osm"},
		&inventory.Service{Name: meshtest.Name("osm-system", names.IngressGateway), Ports: []inventory.Port{{Number: 80, TargetPort: 10080}}},
		&catalog.Gateway{Name: meshtest.Name("shop", "web"), Class: "osm", Listeners: []catalog.GatewayListener{{Name: "a", Port: 80, Protocol: "HTTP", From: "Same"}}},
		&catalog.HTTPRoute{Kind: entity.KindHTTPRoute, Name: meshtest.Name("shop", "r"), Parents: []catalog.RouteParent{{Gateway: meshtest.Name("shop", "web")}}, Rules: []catalog.HTTPRouteRule{{
			Matches: []catalog.RouteMatch{{PathType: catalog.PathPrefix, Path: "/"}}, Backends: []catalog.RouteBackend{{Service: meshtest.Name("shop", "web"), Port: 80, Weight: 1}},
		}}},
		meshtest.Service("shop", "web", "web", "10.96.0.1", 80, inventory.ProtocolHTTP),
		&upstream.Policy{Kind: upstream.Kind, Name: meshtest.Name("shop", "u"), Service: meshtest.Name("shop", "web"), HealthCheck: &upstream.HealthCheck{Interval: time.Second}},
	}
	for i := range pods {
		entries = append(entries, meshtest.Pod("shop", fmt.Sprint("web-", i), "web", "web", fmt.Sprint("10.0.0.", i)))
	}
	clusters := Build(meshtest.Apply(entries...).View(), "cluster.local", Key{Identity: meshtest.SA("osm-system", names.IngressGateway), Proxy: ProxyIngressGateway}).Clusters
	if len(clusters) != 1 || clusters[0].Upstream.HealthCheck.Interval != pods*time.Second/maxCrossNamespaceChecks {
		t.Errorf("the clusters are %+v", clusters)
	}
}

// TestIntervalsOfChecks checks that only a shorter interval becomes longer, and that a Service without checks does not hide others.
func TestIntervalsOfChecks(t *testing.T) {
	with := func(interval time.Duration) *Upstream {
		return &Upstream{HealthCheck: &upstream.HealthCheck{Interval: interval}}
	}
	for name, upstream := range map[string]*Upstream{"no settings": nil, "no checks": {}, "the same interval": with(time.Minute), "a longer one": with(time.Hour)} {
		if got := upstream.checkedEvery(time.Minute); got != upstream {
			t.Errorf("%s: %+v", name, got)
		}
	}
	if got := with(time.Second).checkedEvery(time.Minute); got.HealthCheck.Interval != time.Minute {
		t.Errorf("a short interval becomes %s", got.HealthCheck.Interval)
	}
	var entries []catalog.Entry
	for i := range 63 {
		entries = append(entries, meshtest.Pod("shop", fmt.Sprint("web-", i), "web", "web", fmt.Sprint("10.0.0.", i)))
	}
	v := meshtest.Apply(append(entries, &catalog.Namespace{Name: "shop", Monitored: true}, meshtest.Service("shop", "web", "web", "10.96.0.1", 80, inventory.ProtocolHTTP))...).View()
	cluster := func(upstream *Upstream) Cluster {
		return Cluster{Service: meshtest.Name("shop", "web"), Upstream: upstream}
	}
	clusters := []Cluster{cluster(nil), cluster(&Upstream{}), cluster(with(time.Second))}
	outboundBuilder{view: v, client: meshtest.SA("bank", "client")}.spreadChecks(clusters)
	if clusters[0].Upstream != nil || clusters[1].Upstream.HealthCheck != nil ||
		clusters[2].Upstream.HealthCheck.Interval != 63*time.Second/maxCrossNamespaceChecks {
		t.Errorf("the clusters are %+v", clusters)
	}
}

// TestVersionOfRequests checks in which version of HTTP a gateway forwards requests.
func TestVersionOfRequests(t *testing.T) {
	o, service := gatewayOf(t)
	for name, test := range map[string]struct {
		protocol inventory.Protocol
		http2    bool
		kind     entity.Kind
		want     HTTPVersion
	}{
		"HTTP": {inventory.ProtocolHTTP, false, entity.KindHTTPRoute, HTTP1}, "HTTP/2": {inventory.ProtocolHTTP, true, entity.KindHTTPRoute, HTTP2},
		"gRPC": {inventory.ProtocolHTTP, false, entity.KindGRPCRoute, HTTP2}, "TCP": {inventory.ProtocolTCP, true, entity.KindTLSRoute, ""},
	} {
		backend := authz.WeightedBackend{Service: service("open").Service, Port: inventory.Port{HTTP2: test.http2}, Protocol: test.protocol}
		if got := o.clusters[o.addVersioned(backend, test.kind)].HTTP; got != test.want {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}
