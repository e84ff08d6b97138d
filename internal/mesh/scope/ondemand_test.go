package scope

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/upstream"
	"github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

func TestOnDemandNames(t *testing.T) {
	destination := netip.MustParseAddrPort("10.96.0.1:80")
	name := OnDemandName(destination)
	if got, ok := ParseOnDemandName(name); !ok || got != destination || !IsOnDemandName(name) {
		t.Errorf("%s is parsed as %v, %t", name, got, ok)
	}
	for _, other := range []string{"shop/web|80", "10.96.0.1:80", "on-demand|web", "on-demand|invalid AddrPort", "on-demand|[::0001]:80", "on-demand|[fe80::1%a]:80"} {
		if got, ok := ParseOnDemandName(other); ok {
			t.Errorf("%s is parsed as %v", other, got)
		}
	}
	if IsOnDemandName("shop/web|80") {
		t.Error("the name of a Service is one on demand")
	}
}

// direct is an HTTP port of a Service in the ranges of loading, without policies, with changes.
func direct(change ...func(*Outbound)) *Outbound {
	o := &Outbound{
		Service: meshtest.Name("shop", "web"), Port: 80, Protocol: inventory.ProtocolHTTP, Addresses: []netip.Addr{netip.MustParseAddr("10.96.0.1"), netip.MustParseAddr("fd00::1")},
		Backends: []Backend{{Cluster: "shop/web|8080", Weight: 100}},
	}
	for _, c := range change {
		c(o)
	}
	return o
}

// loading is a scope that loads destinations on demand.
func loading(outbound ...*Outbound) *Scope {
	s := &Scope{}
	s.Key.Class.OnDemand = true
	s.ServiceRanges = []netip.Prefix{netip.MustParsePrefix("10.96.0.0/16"), netip.MustParsePrefix("fd00::/64")}
	for _, o := range outbound {
		s.Outbound = append(s.Outbound, *o)
	}
	return s
}

// The changes of a port.
func tcp(o *Outbound) { o.Protocol = inventory.ProtocolTCP }

func checked(o *Outbound) { o.Upstream = &Upstream{HealthCheck: &upstream.HealthCheck{}} }

func headless(o *Outbound) { o.PodPort = 8080 }

func elsewhere(o *Outbound) {
	o.Addresses = []netip.Addr{netip.MustParseAddr("10.96.0.1"), netip.MustParseAddr("192.0.2.1")}
}

func toOthers(o *Outbound) { o.Backends[0].Cluster = "shop/web2|8080" }

// TestWhatIsLoadedOnDemand checks which ports share a listener, have their cluster after the first connection, and have requests that policies divide.
func TestWhatIsLoadedOnDemand(t *testing.T) {
	type facts struct{ shares, loads, divided bool }
	for name, test := range map[string]struct {
		port *Outbound
		want facts
	}{
		"HTTP":                  {direct(), facts{true, true, false}},
		"TCP":                   {direct(tcp), facts{false, true, false}},
		"HTTP, checked":         {direct(checked), facts{true, false, false}},
		"HTTP, with a setting":  {direct(func(o *Outbound) { o.Upstream = &Upstream{} }), facts{true, true, false}},
		"TCP, checked":          {direct(tcp, checked), facts{false, true, false}},
		"headless":              {direct(headless), facts{}},
		"outside of the ranges": {direct(elsewhere), facts{}},
		"a backend of another":  {direct(toOthers), facts{true, false, true}},
		"TCP, of another":       {direct(tcp, toOthers), facts{}},
		"headless, of another":  {direct(headless, toOthers), facts{}},
		"two backends":          {direct(func(o *Outbound) { o.Backends = append(o.Backends, o.Backends...) }), facts{true, false, true}},
		"no backend":            {direct(func(o *Outbound) { o.Backends = nil }), facts{true, false, true}},
		"a weight of 0":         {direct(func(o *Outbound) { o.Backends[0].Weight = 0 }), facts{true, false, true}},
		"routes":                {direct(func(o *Outbound) { o.Routes = make([]OutboundRoutes, 1) }), facts{true, false, true}},
		"of the Gateway API":    {direct(func(o *Outbound) { o.Routed = true }), facts{true, false, true}},
	} {
		s := loading()
		if got := (facts{s.SharesListener(test.port), s.LoadsOnDemand(test.port), test.port.isDivided()}); got != test.want {
			t.Errorf("%s: %+v, want %+v", name, got, test.want)
		}
	}
	eager, unknown := loading(), loading()
	eager.Key.Class.OnDemand, unknown.ServiceRanges = false, nil
	for name, s := range map[string]*Scope{"a sidecar with all destinations": eager, "unknown ranges": unknown} {
		if s.IsOnDemand() || s.SharesListener(direct()) || s.LoadsOnDemand(direct()) {
			t.Errorf("%s: destinations are loaded on demand", name)
		}
	}
}

// TestSamePortListeners checks when two versions of destinations have listeners for the same numbers and families.
func TestSamePortListeners(t *testing.T) {
	ipv4 := func(o *Outbound) { o.Addresses = o.Addresses[:1] }
	ipv6 := func(o *Outbound) { o.Addresses = o.Addresses[1:] }
	other := func(o *Outbound) { o.Service, o.Port = meshtest.Name("shop", "other"), 81 }
	eager := loading(direct())
	eager.Key.Class.OnDemand = false
	for name, test := range map[string]struct {
		after *Scope
		want  bool
	}{
		"the same":                   {loading(direct()), true},
		"the key does not matter":    {eager, true},
		"two Services with one port": {loading(direct(ipv4), direct(ipv6)), true},
		"in another order":           {loading(direct(ipv6), direct(ipv4)), true},
		"a TCP port more":            {loading(direct(tcp, other), direct()), true},
		"a port more":                {loading(direct(), direct(other)), false},
		"IPv4 alone":                 {loading(direct(ipv4)), false},
		"IPv6 alone":                 {loading(direct(ipv6)), false},
		"none":                       {loading(), false},
	} {
		if got := HaveSamePortListeners(loading(direct()), test.after); got != test.want {
			t.Errorf("%s: the listeners are the same is %t", name, got)
		}
	}
}

// TestLoadOnDemand checks the names of clusters, and that nothing is lost to which a port refers.
func TestLoadOnDemand(t *testing.T) {
	const ipv4, ipv6, own = "on-demand|10.96.0.1:80", "on-demand|[fd00::1]:80", "shop/web|8080"
	split := func(o *Outbound) { o.Routes = []OutboundRoutes{{Backends: []Backend{{Cluster: "shop/v1|80"}}}} }
	routed := func(o *Outbound) {
		o.Routed, o.Backends = true, nil
		o.HTTPRoutes = []HTTPRoute{{Backends: []Backend{{Cluster: "shop/v1|80"}}, Mirrors: []Mirror{{Cluster: "shop/v2|80"}}}}
	}
	connections := func(o *Outbound) {
		o.Routed, o.Backends = true, nil
		o.ConnectionRoutes = []ConnectionRoute{{Backends: []Backend{{Cluster: "shop/v2|80"}}}}
	}
	for name, test := range map[string]struct {
		scope *Scope
		want  []string
	}{
		"HTTP":                         {loading(direct()), []string{ipv4, ipv6}},
		"TCP has the first address":    {loading(direct(tcp)), []string{ipv4}},
		"a TrafficSplit":               {loading(direct(split)), []string{"shop/v1|80", own, ipv4}},
		"a route":                      {loading(direct(routed)), []string{"shop/v1|80", "shop/v2|80", ipv4}},
		"a route, and checks":          {loading(direct(routed, checked)), []string{"shop/v1|80", "shop/v2|80"}},
		"a route of connections":       {loading(direct(tcp, connections)), []string{"shop/v2|80"}},
		"outside of the ranges":        {loading(direct(elsewhere)), []string{own}},
		"a cluster that is not known":  {loading(direct(func(o *Outbound) { o.Service.Name, o.Backends[0].Cluster = "gone", "shop/gone|1" }, tcp)), nil},
		"a reference that is unknown":  {loading(direct(tcp, func(o *Outbound) { o.Backends[0].Cluster = "shop/gone|1" })), nil},
		"an eager one, and another on": {loading(direct(elsewhere), direct()), []string{own, ipv4, ipv6}},
	} {
		for _, service := range []string{"v1", "v2"} {
			test.scope.Clusters = append(test.scope.Clusters, Cluster{Service: meshtest.Name("shop", service), TargetPort: 80})
		}
		web := Cluster{Service: meshtest.Name("shop", "web"), TargetPort: 8080}
		test.scope.Clusters = append(test.scope.Clusters, web)
		test.scope.Divided = []Cluster{web.at(netip.MustParseAddrPort("10.96.0.1:80")), web.at(netip.MustParseAddrPort("10.96.0.9:80"))}
		test.scope.LoadOnDemand()
		var got []string
		for _, c := range test.scope.Clusters {
			if got = append(got, c.Name()); c.Endpoints.Destination != c.Destination {
				t.Errorf("%s: the endpoints of %s are those of %s", name, c.Name(), c.Endpoints.Destination)
			}
			if c.Destination.IsValid() && c.Endpoints.ClusterName() != c.Name() {
				t.Errorf("%s: the endpoints of %s have the cluster %s", name, c.Name(), c.Endpoints.ClusterName())
			}
		}
		if diff := cmp.Diff(test.want, got); diff != "" || test.scope.Divided != nil {
			t.Errorf("%s: clusters (-want +got):\n%s", name, diff)
		}
	}
	eager := loading(direct())
	eager.Key.Class.OnDemand, eager.Clusters, eager.Divided = false, []Cluster{{Service: meshtest.Name("shop", "web")}}, []Cluster{{}}
	if eager.LoadOnDemand(); len(eager.Clusters) != 1 || eager.Clusters[0].Destination.IsValid() || eager.Divided != nil {
		t.Errorf("a sidecar with all destinations has %+v, and %v", eager.Clusters, eager.Divided)
	}
}

// onDemandMesh has a TrafficSplit of web for v1 and v2, and a Service outside the mesh. The client may call all of them.
func onDemandMesh(permissive bool, entries ...catalog.Entry) *catalog.View {
	all := append([]catalog.Entry{
		&catalog.Settings{Permissive: permissive}, &catalog.Namespace{Name: "shop", Monitored: true}, meshtest.Group("shop", "all", "/.*"),
		&inventory.Service{Name: meshtest.Name("outside", "db"), ClusterIPs: []netip.Addr{netip.MustParseAddr("10.96.0.9")}, Ports: []inventory.Port{{Number: 80}}},
		&catalog.TrafficSplit{Name: meshtest.Name("shop", "s"), Root: meshtest.Name("shop", "web"), Backends: []catalog.SplitBackend{{Service: meshtest.Name("shop", "v1"), Weight: 1}}},
	}, entries...)
	for name, address := range map[string]string{"web": "10.96.0.1", "v1": "10.96.0.2"} {
		pod := meshtest.Pod("shop", name, name, name, "10.0.0."+address[8:])
		service := meshtest.Service("shop", name, name, address, 80, inventory.ProtocolHTTP)
		if slices.ContainsFunc(entries, func(e catalog.Entry) bool { return e.Ref().Name == meshtest.Name("shop", "to-"+name) }) {
			all = append(all, pod, service, meshtest.Slice(service.Name, pod))
			continue
		}
		all = append(all, pod, service, meshtest.Slice(service.Name, pod), meshtest.Target("to-"+name, pod.Identity(), []catalog.TargetRule{meshtest.HTTP("all")}, meshtest.SA("shop", "client")))
	}
	return meshtest.Apply(all...).View()
}

func clusterNamesOf(clusters []Cluster) (names []string) {
	for _, c := range clusters {
		names = append(names, c.Name())
	}
	return names
}

// TestBuildOnDemand checks the clusters and addresses of a sidecar that loads its destinations, and of one that does not.
func TestBuildOnDemand(t *testing.T) {
	ranges := &catalog.ServiceCIDR{Name: "kubernetes", Ranges: []netip.Prefix{netip.MustParsePrefix("10.96.0.0/16")}}
	key := Key{Identity: meshtest.SA("shop", "client"), Class: Class{OnDemand: true, EagerDestinations: "shop/gone,shop/v1,shop/web"}}
	eager := Key{Identity: key.Identity, Class: Class{EagerDestinations: "shop/web"}}
	const web, v1 = "on-demand|10.96.0.1:80", "on-demand|10.96.0.2:80"
	for name, test := range map[string]struct {
		view     *catalog.View
		key      Key
		clusters []string
		eager    []string
		ranges   int
		outside  int
	}{
		"on demand":             {onDemandMesh(false, ranges), key, []string{"shop/v1|80", v1, web}, []string{web, v1}, 1, 0},
		"on demand, and egress": {onDemandMesh(false, ranges, &catalog.Settings{Egress: true}), key, []string{"shop/v1|80", v1, web}, []string{web, v1}, 1, 1},
		"on demand, and an Egress": {
			onDemandMesh(false, ranges, &catalog.Settings{EgressPolicies: true}, &catalog.Egress{
				Name: meshtest.Name("shop", "out"), Sources: []identity.ServiceAccount{key.Identity}, Hosts: []string{"api.example.com"}, Ports: []catalog.EgressPort{{Number: 443, Protocol: catalog.ProtocolHTTPS}},
			}), key, []string{"shop/v1|80", v1, web}, []string{web, v1}, 1, 1,
		},
		"on demand, without access to the root": {
			onDemandMesh(false, ranges, meshtest.Target("to-web", meshtest.SA("shop", "none"), []catalog.TargetRule{meshtest.HTTP("all")}, key.Identity)), key, []string{"shop/v1|80", v1}, []string{web, v1}, 1, 0,
		},
		"on demand, without a range":  {onDemandMesh(false, &catalog.Settings{Egress: true}), key, []string{"shop/v1|80"}, []string{web, v1}, 0, 0},
		"with all destinations":       {onDemandMesh(false, ranges, &catalog.Settings{Egress: true}), eager, []string{"shop/v1|80"}, nil, 0, 0},
		"on demand, and a permission": {onDemandMesh(true, ranges), key, []string{"shop/v1|80", v1, web}, []string{web, v1}, 1, 0},
	} {
		s := Build(test.view, "cluster.local", test.key)
		if diff := cmp.Diff(test.clusters, clusterNamesOf(s.Clusters)); diff != "" {
			t.Errorf("%s: clusters (-want +got):\n%s", name, diff)
		}
		if diff := cmp.Diff(test.eager, s.EagerDestinations); diff != "" || len(s.ServiceRanges) != test.ranges || len(s.ServicesOutside) != test.outside || s.Divided != nil {
			t.Errorf("%s: %d ranges, %d outside, %d divided, eager destinations (-want +got):\n%s", name, len(s.ServiceRanges), len(s.ServicesOutside), len(s.Divided), diff)
		}
	}
	// Shared destinations keep the names for all of their scopes.
	for name, test := range map[string]struct {
		view *catalog.View
		want []string
	}{"known ranges": {onDemandMesh(true, ranges), []string{web}}, "no ranges": {onDemandMesh(true), nil}} {
		for _, shared := range []*Destinations{SharedDestinations(test.view), SharedDestinationsFrom(test.view, map[entity.Name]*Part{})} {
			if diff := cmp.Diff(test.want, clusterNamesOf(shared.Divided)); diff != "" {
				t.Errorf("%s: divided destinations (-want +got):\n%s", name, diff)
			}
			s := BuildWithShared(test.view, identity.OneTrustDomain("cluster.local"), key, shared)
			if diff := cmp.Diff(clusterNamesOf(shared.Clusters), clusterNamesOf(s.Clusters)); diff != "" || s.Divided != nil {
				t.Errorf("%s: %d divided, clusters of a scope with shared destinations (-want +got):\n%s", name, len(s.Divided), diff)
			}
		}
	}
}
