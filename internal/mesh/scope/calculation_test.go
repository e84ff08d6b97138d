package scope

import (
	"math"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/upstream"
	"github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

func TestScaled(t *testing.T) {
	for _, test := range []struct {
		weight      uint32
		part, total uint64
		want        uint32
	}{
		{0, 1, 1, 0},
		{1, 0, 1, 0},
		{1, 1, 1, 1000},
		{7, 1, 1, 7000},
		{1, 1, 4, 250},
		{1, 1, math.MaxUint32, 1},
		{math.MaxUint32, 1, 1, math.MaxUint32},
	} {
		if got := scaled(test.weight, test.part, test.total); got != test.want {
			t.Errorf("%d/%d of the weight %d is %d, want %d", test.part, test.total, test.weight, got, test.want)
		}
	}
}

// TestLimitsOf checks that each kind of limit alone makes limits.
func TestLimitsOf(t *testing.T) {
	for name, test := range map[string]struct {
		setting *upstream.Policy
		want    bool
	}{
		"no setting":         {nil, false},
		"no limit":           {&upstream.Policy{}, false},
		"connections":        {&upstream.Policy{ConnectionRate: &upstream.RateLimit{}}, true},
		"requests":           {&upstream.Policy{RequestRate: &upstream.RequestRateLimit{}}, true},
		"routes":             {&upstream.Policy{Routes: []upstream.RouteRateLimit{{}}}, true},
		"global connections": {&upstream.Policy{GlobalConnections: &upstream.GlobalConnectionLimit{}}, true},
		"global requests":    {&upstream.Policy{GlobalRequests: &upstream.GlobalRequestLimit{}}, true},
	} {
		if got := limitsOf(test.setting) != nil; got != test.want {
			t.Errorf("%s: the port has limits: %t, want %t", name, got, test.want)
		}
	}
}

// TestLongIdleTimeout checks which idle timeouts a server applies.
func TestLongIdleTimeout(t *testing.T) {
	for name, test := range map[string]struct {
		timeout  time.Duration
		protocol inventory.Protocol
		want     time.Duration
	}{
		"longer":         {2 * time.Hour, inventory.ProtocolTCP, 2 * time.Hour},
		"the default":    {time.Hour, inventory.ProtocolTCP, 0},
		"a request port": {2 * time.Hour, inventory.ProtocolHTTP, 0},
	} {
		setting := &upstream.Policy{Connections: upstream.ConnectionSettings{TCPIdleTimeout: test.timeout}}
		if got := longIdleTimeout(setting, test.protocol); got != test.want {
			t.Errorf("%s: the idle timeout is %s, want %s", name, got, test.want)
		}
	}
}

// TestEndpointsOfSharedPort checks the endpoints of a container port that several ports of a Service target, after a port for another one.
func TestEndpointsOfSharedPort(t *testing.T) {
	one, two, other := meshtest.Pod("shop", "b", "web", "one", "10.0.0.2"), meshtest.Pod("shop", "a", "web", "two", "10.0.0.1"), meshtest.Pod("shop", "c", "web", "three", "10.0.0.0")
	service := meshtest.Service("shop", "web", "web", "10.96.0.1", 9090, inventory.ProtocolHTTP)
	service.Ports = append(service.Ports, inventory.Port{Number: 80, TargetPort: 8080, Protocol: inventory.ProtocolHTTP}, inventory.Port{Number: 81, TargetPort: 8080, Protocol: inventory.ProtocolHTTP})
	v := meshtest.Apply(&catalog.Namespace{Name: "shop", Monitored: true}, one, two, other, service, meshtest.Slice(service.Name, other, one, two)).View()
	got := BuildEndpoints(v, EndpointsKey{Service: service.Name, TargetPort: 8080, Identities: "shop/one,shop/two"}).Addresses
	want := []netip.AddrPort{netip.MustParseAddrPort("10.0.0.1:8080"), netip.MustParseAddrPort("10.0.0.2:8080")}
	if !slices.Equal(got, want) {
		t.Errorf("the endpoints are %v, want %v", got, want)
	}
}

// TestSplitByRequestAddsRoutes checks that requests which a split selects have their own backends.
func TestSplitByRequestAddsRoutes(t *testing.T) {
	pod := meshtest.Pod("shop", "web", "web", "web", "10.0.0.1")
	root, next := meshtest.Service("shop", "web", "web", "10.96.0.1", 80, inventory.ProtocolHTTP), meshtest.Service("shop", "next", "web", "10.96.0.2", 80, inventory.ProtocolHTTP)
	split := &catalog.TrafficSplit{Name: meshtest.Name("shop", "s"), Root: root.Name, Matches: []string{"beta"}, Backends: []catalog.SplitBackend{{Service: next.Name, Weight: 5}}}
	v := meshtest.Apply(&catalog.Namespace{Name: "shop", Monitored: true}, &catalog.Settings{Permissive: true}, pod, root, next, split,
		meshtest.Slice(root.Name, pod), meshtest.Slice(next.Name, pod), meshtest.Group("shop", "beta", "/beta")).View()
	s := Build(v, "cluster.local", Key{Identity: meshtest.SA("shop", "client")})
	for _, out := range s.Outbound {
		if out.Service != root.Name {
			continue
		}
		for _, cluster := range s.Clusters {
			if want := (EndpointsKey{Service: cluster.Service, TargetPort: 80}); cluster.Endpoints != want {
				t.Errorf("the cluster %s has the endpoints %+v, want %+v", cluster.Name(), cluster.Endpoints, want)
			}
		}
		routes := []OutboundRoutes{{Matches: []catalog.HTTPMatch{{Name: "/beta", PathRegex: "/beta"}}, Backends: []Backend{{Cluster: "shop/next|80", Weight: 5}}}}
		if diff := cmp.Diff(routes, out.Routes); diff != "" {
			t.Errorf("routes (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]Backend{{Cluster: "shop/web|80", Weight: 100}}, out.Backends); diff != "" {
			t.Errorf("backends of other requests (-want +got):\n%s", diff)
		}
	}
}

// TestListenAddresses checks which destinations a Service claims.
func TestListenAddresses(t *testing.T) {
	address := netip.MustParseAddr("10.0.0.1")
	for name, test := range map[string]struct {
		out  Outbound
		want []netip.AddrPort
	}{
		"an address of the Service": {Outbound{Port: 80}, []netip.AddrPort{netip.AddrPortFrom(address, 80)}},
		"a pod":                     {Outbound{Port: 80, PodPort: 8080}, []netip.AddrPort{netip.AddrPortFrom(address, 80), netip.AddrPortFrom(address, 8080)}},
	} {
		if got := test.out.listenAddresses(address); !slices.Equal(got, test.want) {
			t.Errorf("%s: connections to %v, want %v", name, got, test.want)
		}
	}
}

// TestUsesSharedDestinations checks which clients share the destinations of permissive mode.
func TestUsesSharedDestinations(t *testing.T) {
	yes, no := true, false
	client := meshtest.SA("buy", "client")
	grant := meshtest.Target("t", meshtest.SA("shop", "web"), []catalog.TargetRule{meshtest.HTTP("all")}, client)
	namespace := func(permissive *bool) catalog.Entry {
		return &catalog.Namespace{Name: "shop", Monitored: true, Permissive: permissive}
	}
	mesh := func(permissive bool) catalog.Entry { return &catalog.Settings{Permissive: permissive} }
	for name, test := range map[string]struct {
		entries []catalog.Entry
		want    bool
	}{
		"nothing is permissive":                      {[]catalog.Entry{mesh(false), namespace(nil)}, false},
		"the mesh":                                   {[]catalog.Entry{mesh(true), namespace(nil), grant}, true},
		"another namespace":                          {[]catalog.Entry{mesh(false), namespace(&yes)}, true},
		"another namespace, with a grant there":      {[]catalog.Entry{mesh(false), namespace(&yes), grant}, true},
		"the mesh without a namespace, with a grant": {[]catalog.Entry{mesh(true), namespace(&no), grant}, false},
		"the mesh without a namespace":               {[]catalog.Entry{mesh(true), namespace(&no)}, true},
		"a namespace, with a grant elsewhere": {
			[]catalog.Entry{mesh(false), namespace(nil), grant, &catalog.Namespace{Name: "any", Monitored: true, Permissive: &yes}}, false,
		},
		"passthrough mode": {[]catalog.Entry{&catalog.Settings{Permissive: true, Teardown: catalog.TeardownPassthrough}}, false},
	} {
		if got := UsesSharedDestinations(meshtest.Apply(test.entries...).View(), client); got != test.want {
			t.Errorf("%s: the client shares destinations: %t, want %t", name, got, test.want)
		}
	}
}

// TestUpstreamOfHealthChecks checks the settings of clients where the mesh checks the health of servers.
func TestUpstreamOfHealthChecks(t *testing.T) {
	own := &upstream.HealthCheck{Interval: time.Second}
	for name, test := range map[string]struct {
		checks  bool
		setting *upstream.Policy
		want    *Upstream
	}{
		"neither":     {false, nil, nil},
		"the mesh":    {true, nil, &Upstream{HealthCheck: &upstream.HealthCheck{}}},
		"the setting": {false, &upstream.Policy{}, &Upstream{}},
		"both":        {true, &upstream.Policy{HealthCheck: own}, &Upstream{HealthCheck: own}},
	} {
		entries := []catalog.Entry{&catalog.Settings{ActiveHealthChecks: test.checks}, &catalog.Namespace{Name: "shop", Monitored: true}}
		if test.setting != nil {
			test.setting.Kind, test.setting.Name, test.setting.Service = upstream.Kind, meshtest.Name("shop", "u"), meshtest.Name("shop", "web")
			entries = append(entries, test.setting)
		}
		got := outboundBuilder{view: meshtest.Apply(entries...).View()}.upstream(meshtest.Name("shop", "web"))
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s: (-want +got):\n%s", name, diff)
		}
	}
}

// TestEgressSettings checks the settings of destinations outside the mesh, each once.
func TestEgressSettings(t *testing.T) {
	client := meshtest.SA("shop", "client")
	egress := func(name, setting string, hosts ...string) *catalog.Egress {
		return &catalog.Egress{
			Name: meshtest.Name("shop", name), Sources: []identity.ServiceAccount{client}, Hosts: hosts, Setting: setting,
			Ports: []catalog.EgressPort{{Number: 80, Protocol: inventory.ProtocolHTTP}},
		}
	}
	ranges := egress("c", "ranges")
	ranges.Ports[0].Protocol, ranges.Prefixes = inventory.ProtocolTCP, []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
	setting := func(name string) *upstream.Policy {
		return &upstream.Policy{Kind: upstream.Kind, Name: meshtest.Name("shop", name)}
	}
	for name, test := range map[string]struct {
		entries []catalog.Entry
		want    []string
	}{
		"none":    {[]catalog.Entry{egress("a", "", "a.example.com")}, nil},
		"missing": {[]catalog.Entry{egress("a", "gone", "a.example.com")}, nil},
		"of hosts and ranges": {
			[]catalog.Entry{egress("a", "hosts", "a.example.com", "b.example.com"), egress("b", "other", "c.example.com"), ranges, setting("hosts"), setting("other"), setting("ranges")},
			[]string{"hosts", "other", "ranges"},
		},
	} {
		entries := append(test.entries, &catalog.Namespace{Name: "shop", Monitored: true}, &catalog.Settings{EgressPolicies: true})
		ports, upstreams := egressSettings(meshtest.Apply(entries...).View(), client)
		if diff := cmp.Diff(test.want, upstreams, cmpopts.EquateEmpty()); diff != "" || ports != 1 {
			t.Errorf("%s: %d ports, want 1; settings (-want +got):\n%s", name, ports, diff)
		}
	}
}

// egressSettings is the number of ports and the names of the settings of a client.
func egressSettings(v *catalog.View, client identity.ServiceAccount) (int, []string) {
	ports, upstreams := egress(v, client, &authz.RouteLimit{})
	if upstreams != nil && len(upstreams) == 0 {
		return len(ports), []string{"an empty map, which differs from none in comparisons of scopes"}
	}
	var list []string
	for name := range upstreams {
		list = append(list, name)
	}
	slices.Sort(list)
	return len(ports), list
}
