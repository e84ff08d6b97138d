package scope

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// routedMesh has the Services many and few with as many routes as their parts need, and one less. The client may call both, and the Service heavy, whose
// TrafficSplit has more routes than a client of another namespace can have.
func routedMesh(permissive bool) *catalog.View {
	client := meshtest.SA("c", "client")
	entries := []catalog.Entry{
		&catalog.Settings{Permissive: permissive}, &catalog.Namespace{Name: "a", Monitored: true}, &catalog.Namespace{Name: "c", Monitored: true}, meshtest.Group("a", "all", "/.*"),
		meshtest.Group("a", "heavy", strings.Repeat("x", 300*authz.MaxCrossNamespaceRoutes)),
		&catalog.TrafficSplit{
			Name: meshtest.Name("a", "s"), Root: meshtest.Name("a", "heavy"), Matches: []string{"heavy"}, Backends: []catalog.SplitBackend{{Service: meshtest.Name("a", "few"), Weight: 1}},
		},
	}
	for i, name := range []string{"few", "heavy", "many"} {
		pod := meshtest.Pod("a", name, name, name, fmt.Sprint("10.0.0.", i+1))
		service := meshtest.Service("a", name, name, fmt.Sprint("10.96.0.", i+1), 80, inventory.ProtocolHTTP)
		entries = append(entries, pod, service, meshtest.Slice(service.Name, pod))
		if name != "heavy" {
			entries = append(entries, meshtest.Target("to-"+name, pod.Identity(), []catalog.TargetRule{meshtest.HTTP("all")}, client))
		}
	}
	for name, routes := range map[string]int{"few": manyRoutes - 1, "many": manyRoutes} {
		for i := range routes {
			entries = append(entries, meshtest.Route(meshtest.Name("a", name), i, 0))
		}
	}
	return meshtest.Apply(entries...).View()
}

// TestWhichPartsAreKept checks that scopes keep the parts of Services with many routes, and shared destinations all but those that are not complete.
func TestWhichPartsAreKept(t *testing.T) {
	domains, key := identity.OneTrustDomain("cluster.local"), Key{Identity: meshtest.SA("c", "client")}
	gone := map[entity.Name]*Part{meshtest.Name("a", "gone"): {}}
	own, shared := maps.Clone(gone), maps.Clone(gone)
	s := BuildFromParts(routedMesh(false), domains, key, own)
	if diff := cmp.Diff(clusterNamesOf(Build(routedMesh(false), "cluster.local", key).Clusters), clusterNamesOf(s.Clusters)); diff != "" {
		t.Errorf("clusters of the scope with parts (-want +got):\n%s", diff)
	}
	v := routedMesh(true)
	d := SharedDestinationsFrom(v, shared)
	if diff := cmp.Diff(clusterNamesOf(SharedDestinations(routedMesh(true)).Clusters), clusterNamesOf(d.Clusters)); diff != "" {
		t.Errorf("shared clusters with parts (-want +got):\n%s", diff)
	}
	for name, test := range map[string]struct {
		parts map[entity.Name]*Part
		want  []string
	}{"a scope": {own, []string{"many"}}, "shared destinations": {shared, []string{"few", "many"}}} {
		var got []string
		for service := range test.parts {
			got = append(got, service.Name)
		}
		if slices.Sort(got); !slices.Equal(got, test.want) {
			t.Errorf("%s: the parts of %v are kept, want %v", name, got, test.want)
		}
	}
	service := entity.Dep{Kind: entity.DepService, Name: meshtest.Name("a", "many")}
	if part := shared[service.Name]; !slices.Contains(part.Deps, service) || !part.DependsOnAny(map[entity.Dep]struct{}{service: {}}) || part.DependsOnAny(nil) {
		t.Errorf("the part depends on %v", part.Deps)
	}
	if slices.Contains(v.Deps(), service) {
		t.Error("shared destinations depend on what their parts depend on")
	}
	if d := SharedDestinationsFrom(routedMesh(false), shared); d != nil || len(shared) > 0 {
		t.Errorf("without a permission, the destinations are %v with %d parts", d, len(shared))
	}
}

// A cluster that policies add for another Service is that of the last part with it.
func TestClustersOfPartsAreUnique(t *testing.T) {
	cluster := func(name string, port uint16, protocol inventory.Protocol) Cluster {
		return Cluster{Service: meshtest.Name("a", name), TargetPort: port, Protocol: protocol}
	}
	sorted := []Cluster{cluster("a", 1, ""), cluster("a", 2, ""), cluster("b", 1, "")}
	if got := uniqueClusters(sorted); len(got) != 3 || got[0].Name() != "a/a|1" {
		t.Errorf("sorted clusters become %v", clusterNamesOf(got))
	}
	got := uniqueClusters([]Cluster{cluster("a", 1, "first"), cluster("b", 1, ""), cluster("a", 1, "last")})
	if len(got) != 2 || got[0].Protocol != "last" || got[1].Name() != "a/b|1" {
		t.Errorf("the clusters are %+v", got)
	}
	if got := uniqueClusters([]Cluster{cluster("a", 1, "first"), cluster("a", 1, "last"), cluster("b", 1, "")}); len(got) != 2 || got[0].Protocol != "last" {
		t.Errorf("the clusters are %+v", got)
	}
}

// A Service with a route beyond the limit is no destination of a client that may not call it without the route.
func TestRouteBeyondTheLimitMakesNoDestination(t *testing.T) {
	for _, out := range Build(routedMesh(false), "cluster.local", Key{Identity: meshtest.SA("c", "client")}).Outbound {
		if out.Service.Name == "heavy" {
			t.Errorf("the client has the destination %+v", out)
		}
	}
}

// TestClientsAreNamed checks on which ports clients name their account.
func TestClientsAreNamed(t *testing.T) {
	for permissive, want := range map[bool]map[uint16]bool{false: {80: false, 81: true}, true: {80: false, 81: false}} {
		pod, service := meshtest.Pod("a", "web", "web", "web", "10.0.0.1"), meshtest.Service("a", "web", "web", "10.96.0.1", 80, inventory.ProtocolHTTP)
		service.Ports = append(service.Ports, inventory.Port{Number: 81, TargetPort: 81, Protocol: inventory.ProtocolTCP})
		v := meshtest.Apply(&catalog.Settings{Permissive: permissive}, &catalog.Namespace{Name: "a", Monitored: true}, pod, service, meshtest.Group("a", "all", "/.*"), &catalog.TCPRoute{Name: meshtest.Name("a", "any")},
			meshtest.Target("t", pod.Identity(), []catalog.TargetRule{meshtest.HTTP("all")}, pod.Identity()), meshtest.Target("u", pod.Identity(), []catalog.TargetRule{meshtest.TCP("any")}, pod.Identity())).View()
		got := map[uint16]bool{}
		for _, out := range Build(v, "cluster.local", Key{Identity: pod.Identity()}).Outbound {
			got[out.Port] = out.NamesClient
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("permissive is %t (-want +got):\n%s", permissive, diff)
		}
	}
}
