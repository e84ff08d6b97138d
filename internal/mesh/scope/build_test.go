package scope_test

import (
	"fmt"
	"net/netip"
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
	. "github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

const trustDomain = "cluster.local"

// built is a value made from a view, with the view's dependencies.
type built struct {
	value any
	deps  []entity.Dep
}

func buildAll(c *catalog.Catalog) map[string]built {
	all := map[string]built{}
	for _, namespace := range []string{"a", "b"} {
		for _, name := range []string{"one", "two", "three"} {
			v := c.View()
			pod := v.Pod(Name(namespace, name))
			if pod == nil {
				pod = Pod(namespace, name, "one", "one", "10.9.9.9")
			}
			key := scope.KeyFor(v, pod)
			all["key "+namespace+"/"+name] = built{key, v.Deps()}
			v = c.View()
			s := scope.Build(v, trustDomain, key)
			all[fmt.Sprintf("scope %+v", key)] = built{s, v.Deps()}
			for _, cluster := range s.Clusters {
				v = c.View()
				all[fmt.Sprintf("endpoints %+v", cluster.Endpoints)] = built{scope.BuildEndpoints(v, cluster.Endpoints), v.Deps()}
			}
		}
	}
	return all
}

// TestUnaffectedScopesDoNotChange checks the invariant by which the store rebuilds only what a change affects.
func TestUnaffectedScopesDoNotChange(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := catalog.New()
		c.Apply([]catalog.Change{catalog.Set(&catalog.Namespace{Name: "a", Monitored: true}), catalog.Set(&catalog.Namespace{Name: "b", Monitored: true})})
		c.Apply(rapid.SliceOfN(Change(), 5, 25).Draw(t, "start"))
		for range 10 {
			before := buildAll(c)
			affected := map[entity.Dep]bool{}
			for _, dep := range c.Apply(rapid.SliceOfN(Change(), 1, 3).Draw(t, "edit")) {
				affected[dep] = true
			}
			checkUnaffected(t, before, buildAll(c), affected)
		}
	})
}

// exported compares scopes with their unexported fields.
var exported = []cmp.Option{cmpopts.EquateComparable(netip.Prefix{}, netip.Addr{}, netip.AddrPort{}), cmp.Exporter(func(reflect.Type) bool { return true })}

func checkUnaffected(t *rapid.T, before, after map[string]built, affected map[entity.Dep]bool) {
	for name, old := range before {
		hit := false
		for _, dep := range old.deps {
			hit = hit || affected[dep]
		}
		now, ok := after[name]
		if hit || !ok {
			continue
		}
		if diff := cmp.Diff(old.value, now.value, exported...); diff != "" {
			t.Fatalf("%s changed, although none of its dependencies was affected:\n%s", name, diff)
		}
	}
}

// TestIncrementalChangesEqualFullBuild checks that a catalog after many changes equals one that is filled at once.
func TestIncrementalChangesEqualFullBuild(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		changes := rapid.SliceOfN(Change(), 1, 40).Draw(t, "changes")
		edited, last := catalog.New(), map[entity.Ref]catalog.Change{}
		for _, change := range changes {
			edited.Apply([]catalog.Change{change})
			last[change.Ref] = change
		}
		fresh := catalog.New()
		for _, change := range last {
			fresh.Apply([]catalog.Change{change})
		}
		a, b := buildAll(edited), buildAll(fresh)
		for name := range a {
			if diff := cmp.Diff(a[name].value, b[name].value, exported...); diff != "" {
				t.Fatalf("%s differs:\n%s", name, diff)
			}
		}
	})
}

func TestBuild(t *testing.T) {
	v1 := Pod("shop", "v1-0", "v1", "v1", "10.0.0.1")
	v2 := Pod("shop", "v2-0", "v2", "v2", "10.0.0.2")
	db := Pod("shop", "db-0", "db", "db", "10.0.0.3")
	buyer := Pod("buy", "buyer-0", "buyer", "buyer", "10.0.0.9")
	root := Service("shop", "root", "v1", "10.96.0.1", 80, inventory.ProtocolHTTP)
	sv1 := Service("shop", "v1", "v1", "10.96.0.2", 80, inventory.ProtocolHTTP)
	sv2 := Service("shop", "v2", "v2", "10.96.0.3", 80, inventory.ProtocolHTTP)
	sdb := Service("shop", "db", "db", "", 3306, inventory.ProtocolTCPServerFirst)
	base := []catalog.Entry{
		&catalog.Namespace{Name: "shop", Monitored: true}, &catalog.Namespace{Name: "buy", Monitored: true},
		v1, v2, db, buyer, root, sv1, sv2, sdb, Slice(sv1.Name, v1), Slice(sv2.Name, v2), Slice(root.Name, v1), Slice(sdb.Name, db),
		Group("shop", "all", "/.*"), &catalog.TCPRoute{Name: Name("shop", "mysql"), Ports: []uint16{3306}},
	}
	split := &catalog.TrafficSplit{Name: Name("shop", "split"), Root: root.Name, Backends: []catalog.SplitBackend{
		{Service: sv1.Name, Weight: 50}, {Service: sv2.Name, Weight: 50}, {Service: Name("shop", "gone"), Weight: 1},
	}}
	toV1 := Target("buy-v1", SA("shop", "v1"), []catalog.TargetRule{HTTP("all")}, SA("buy", "buyer"))
	toDB := Target("buy-db", SA("shop", "db"), []catalog.TargetRule{TCP("mysql")}, SA("buy", "buyer"))

	tests := []struct {
		name    string
		entries []catalog.Entry
		want    map[string]string
	}{
		{"nothing is granted", nil, map[string]string{}},
		{"a target opens the Services of its destination", []catalog.Entry{toV1}, map[string]string{
			"shop/root:80": "shop/root|80=100", "shop/v1:80": "shop/v1|80=100",
		}},
		{"HTTP rules do not open a TCP port", []catalog.Entry{Target("x", SA("shop", "db"), []catalog.TargetRule{HTTP("all")}, SA("buy", "buyer"))}, map[string]string{}},
		{"a TCP route opens its port on a headless Service", []catalog.Entry{toDB}, map[string]string{"shop/db:3306": "shop/db|3306=100"}},
		{"a missing TCP route grants nothing", []catalog.Entry{Target("x", SA("shop", "v1"), []catalog.TargetRule{HTTP("all"), TCP("none")}, SA("buy", "buyer"))}, map[string]string{}},
		{"a missing route group grants nothing", []catalog.Entry{Target("x", SA("shop", "v1"), []catalog.TargetRule{HTTP("none")}, SA("buy", "buyer"))}, map[string]string{}},
		{"a split leaves out the backend that does not exist", []catalog.Entry{toV1, split}, map[string]string{
			"shop/root:80": "shop/v1|80=50 shop/v2|80=50", "shop/v1:80": "shop/v1|80=100",
		}},
		{"a split of a Service that does not exist adds nothing", []catalog.Entry{
			toV1, &catalog.TrafficSplit{Name: Name("shop", "split"), Root: Name("shop", "gone"), Backends: []catalog.SplitBackend{{Service: sv1.Name, Weight: 1}}},
		}, map[string]string{"shop/root:80": "shop/root|80=100", "shop/v1:80": "shop/v1|80=100"}},
		{"a headless Service without pods has no destination", []catalog.Entry{toDB, &inventory.EndpointSlice{Name: Name("shop", "db-1"), Service: sdb.Name}}, map[string]string{}},
		{"permissive mode opens everything", []catalog.Entry{&catalog.Settings{Permissive: true}}, map[string]string{
			"shop/root:80": "shop/root|80=100", "shop/v1:80": "shop/v1|80=100", "shop/v2:80": "shop/v2|80=100", "shop/db:3306": "shop/db|3306=100",
		}},
		{"a namespace outside the mesh is not reachable", []catalog.Entry{toV1, &catalog.Namespace{Name: "shop"}}, map[string]string{}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			v := Apply(append(base, test.entries...)...).View()
			s := scope.Build(v, trustDomain, scope.KeyFor(v, buyer))
			if diff := cmp.Diff(test.want, outbound(s)); diff != "" {
				t.Errorf("outbound (-want +got):\n%s", diff)
			}
		})
	}
}

func outbound(s *scope.Scope) map[string]string {
	got := map[string]string{}
	for _, out := range s.Outbound {
		text := ""
		for i, backend := range out.Backends {
			if i > 0 {
				text += " "
			}
			text += fmt.Sprintf("%s=%d", backend.Cluster, backend.Weight)
		}
		got[fmt.Sprintf("%s:%d", out.Service, out.Port)] = text
	}
	return got
}

// TestPortsOfTwoProtocolsShareTarget checks that a container port has one set of rules, HTTP if any of its Service
// ports uses it, and that all its ports have the same identities.
func TestPortsOfTwoProtocolsShareTarget(t *testing.T) {
	client, one, two := Pod("shop", "cart", "cart", "cart", "10.0.0.1"), Pod("shop", "web-1", "web", "one", "10.0.0.2"), Pod("shop", "web-2", "web", "two", "10.0.0.3")
	service := Service("shop", "web", "web", "10.96.0.1", 80, inventory.ProtocolTCP)
	service.Ports = []inventory.Port{
		{Number: 79, TargetPort: 8080, Protocol: inventory.ProtocolTCP},
		{Number: 80, TargetPort: 8080, Protocol: inventory.ProtocolHTTP},
		{Number: 81, TargetPort: 8080, Protocol: inventory.ProtocolTCP},
	}
	v := Apply(&catalog.Namespace{Name: "shop", Monitored: true}, client, one, two, service, Slice(service.Name, one, two),
		Group("shop", "paths", "/a"), &catalog.TCPRoute{Name: Name("shop", "port"), Ports: []uint16{8080}},
		Target("http", one.Identity(), []catalog.TargetRule{HTTP("paths")}, client.Identity()),
		Target("tcp", two.Identity(), []catalog.TargetRule{TCP("port")}, client.Identity())).View()
	for _, in := range scope.Build(v, trustDomain, scope.KeyFor(v, one)).Inbound {
		if in.Protocol != inventory.ProtocolHTTP || len(in.Rules.Routes) != 1 {
			t.Errorf("inbound port %d = %+v, want HTTP with one route", in.TargetPort, in)
		}
	}
	clusters := scope.Build(v, trustDomain, scope.KeyFor(v, client)).Clusters
	want := []identity.ServiceAccount{one.Identity(), two.Identity()}
	if len(clusters) != 1 || clusters[0].Protocol != inventory.ProtocolHTTP || !cmp.Equal(want, clusters[0].Identities) {
		t.Errorf("clusters = %+v, want one of HTTP with the identities %v", clusters, want)
	}
}

// TestHeadlessPortsShareTarget checks that each port of a headless Service is reachable by its own number, even if
// several ports share a target port.
func TestHeadlessPortsShareTarget(t *testing.T) {
	pod := Pod("shop", "db-0", "db", "db", "10.0.0.1")
	service := Service("shop", "db", "db", "", 80, inventory.ProtocolHTTP)
	service.Ports = []inventory.Port{
		{Number: 80, TargetPort: 8080, Protocol: inventory.ProtocolHTTP},
		{Number: 81, TargetPort: 8080, Protocol: inventory.ProtocolHTTP},
	}
	other := Service("shop", "other", "db", "", 80, inventory.ProtocolHTTP)
	other.Ports[0].TargetPort = 8080
	v := Apply(&catalog.Namespace{Name: "shop", Monitored: true}, &catalog.Settings{Permissive: true},
		pod, service, other, Slice(service.Name, pod), Slice(other.Name, pod)).View()
	var got []string
	for _, out := range scope.Build(v, trustDomain, scope.KeyFor(v, pod)).Outbound {
		got = append(got, fmt.Sprintf("%s:%d", out.Service, out.Port))
	}
	// The second Service has no address left: the first one has the pod's address with both ports.
	if diff := cmp.Diff([]string{"shop/db:80", "shop/db:81"}, got); diff != "" {
		t.Errorf("outbound ports to the pod (-want +got):\n%s", diff)
	}
}

// TestSessionsOfHeadlessServicesOutliveReadiness checks that a client of a headless Service keeps the destination while a pod is not ready, or
// terminates without serving: without the listener its sessions would be closed. Requests that are balanced do not go there.
func TestSessionsOfHeadlessServicesOutliveReadiness(t *testing.T) {
	pod := Pod("shop", "db-0", "db", "db", "10.0.0.1")
	service := Service("shop", "db", "db", "", 3306, inventory.ProtocolTCP)
	build := func(ready bool) (*scope.Scope, scope.Endpoints) {
		slice := Slice(service.Name, pod)
		slice.Endpoints[0].Ready = ready
		v := Apply(&catalog.Namespace{Name: "shop", Monitored: true}, &catalog.Settings{Permissive: true}, pod, service, slice).View()
		return scope.Build(v, trustDomain, scope.KeyFor(v, pod)), scope.BuildEndpoints(v, scope.EndpointsKey{Service: service.Name, TargetPort: 3306})
	}
	before, served := build(true)
	after, unready := build(false)
	if len(before.Outbound) != 1 {
		t.Fatalf("the client has %d destinations, want one", len(before.Outbound))
	}
	if !reflect.DeepEqual(before.Outbound, after.Outbound) {
		t.Errorf("the destinations are %+v, and %+v while the pod is not ready", before.Outbound, after.Outbound)
	}
	if len(served.Addresses) != 1 || len(unready.Addresses) != 0 {
		t.Errorf("balanced requests go to %v, and to %v of a pod that is not ready", served.Addresses, unready.Addresses)
	}
}

func TestEndpoints(t *testing.T) {
	service := Service("shop", "web", "web", "10.96.0.1", 80, inventory.ProtocolHTTP)
	one, two := Pod("shop", "one", "web", "sa1", "10.0.0.1"), Pod("shop", "two", "web", "sa2", "10.0.0.2")
	plain := Pod("shop", "plain", "web", "sa1", "10.0.0.3")
	plain.Injected = false
	slice := Slice(service.Name, one, two, plain)
	unrelated := inventory.Endpoint{Address: netip.MustParseAddr("10.0.0.77"), Pod: one.Name, Ready: true}
	slice.Endpoints = append(slice.Endpoints, unrelated, inventory.Endpoint{Address: netip.MustParseAddr("10.0.0.78"), Ready: true})
	draining := Slice(service.Name, one)
	draining.Endpoints[0].Ready, draining.Endpoints[0].Terminating = false, true

	tests := []struct {
		name       string
		slice      *inventory.EndpointSlice
		identities string
		want       []string
	}{
		{"only addresses of live pods with a sidecar count", slice, "", []string{"10.0.0.1:80", "10.0.0.2:80"}},
		{"a client sees the identities it may call", slice, "shop/sa2", []string{"10.0.0.2:80"}},
		{"terminating endpoints serve when nothing else is left", draining, "", []string{"10.0.0.1:80"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			v := Apply(&catalog.Namespace{Name: "shop", Monitored: true}, service, one, two, plain, test.slice).View()
			got := scope.BuildEndpoints(v, scope.EndpointsKey{Service: service.Name, TargetPort: 80, Identities: test.identities})
			var addresses []string
			for _, a := range got.Addresses {
				addresses = append(addresses, a.String())
			}
			if diff := cmp.Diff(test.want, addresses); diff != "" {
				t.Errorf("addresses (-want +got):\n%s", diff)
			}
		})
	}
}
