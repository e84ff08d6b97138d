package scope_test

import (
	"fmt"
	"maps"
	"net/netip"
	"reflect"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
	. "github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// TestPartsShareTheRouteLimit checks that destinations which are built from kept parts equal those that are built at once, though TrafficSplits of several
// Services share a limit. Health checks of a namespace share a rate.
func TestPartsShareTheRouteLimit(t *testing.T) {
	const services = authz.MaxCrossNamespaceRoutes/manyMatches + 2
	group := groupOfMany("a", "routes")
	entries := []catalog.Entry{&catalog.Settings{Permissive: true, ActiveHealthChecks: true}, &catalog.Namespace{Name: "a", Monitored: true}, group}
	var splits []catalog.Entry
	for i := range services {
		name := fmt.Sprintf("s%d", i)
		pod := Pod("a", name, name, name, fmt.Sprintf("10.0.0.%d", i))
		service := Service("a", name, name, fmt.Sprintf("10.96.0.%d", i), 80, inventory.ProtocolHTTP)
		entries = append(entries, pod, service, Slice(service.Name, pod))
		splits = append(splits, &catalog.TrafficSplit{
			Name: service.Name, Root: service.Name, Matches: []string{"routes"},
			Backends: []catalog.SplitBackend{{Service: Name("a", fmt.Sprintf("s%d", (i+1)%services)), Weight: 1}},
		})
	}
	c, parts := Apply(append(entries, splits...)...), map[entity.Name]*scope.Part{}
	limited := map[bool]int{}
	for _, change := range []catalog.Change{
		{},
		{Ref: splits[0].Ref()},
		{Ref: splits[1].Ref()},
		catalog.Set(splits[0]),
		{Ref: entries[3].Ref()},
		catalog.Set(splits[1]),
		catalog.Set(Group("a", "routes", "/one")), catalog.Set(group), catalog.Set(&catalog.Settings{Permissive: true}), catalog.Set(&catalog.Settings{}), catalog.Set(entries[0]),
	} {
		if (change.Ref != entity.Ref{}) {
			dropParts(parts, c.Apply([]catalog.Change{change}))
		}
		want, got := scope.SharedDestinations(c.View()), scope.SharedDestinationsFrom(c.View(), parts)
		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty(), cmpopts.EquateComparable(netip.Addr{}, netip.AddrPort{})); diff != "" {
			t.Fatalf("after %+v (-at once +from parts):\n%s", change.Ref, diff)
		}
		limited[want != nil && len(want.Limited) > 0]++
	}
	if limited[true] == 0 || limited[false] == 0 {
		t.Errorf("%d versions were limited and %d were not", limited[true], limited[false])
	}
}

// dropParts removes the parts that depend on what has changed.
func dropParts(parts map[entity.Name]*scope.Part, touched []entity.Dep) {
	changed := map[entity.Dep]struct{}{}
	for _, dep := range touched {
		changed[dep] = struct{}{}
	}
	maps.DeleteFunc(parts, func(_ entity.Name, part *scope.Part) bool { return part.DependsOnAny(changed) })
}

// TestPartsOfUnchangedServicesAreKept checks that a change of one Service builds its part only.
func TestPartsOfUnchangedServicesAreKept(t *testing.T) {
	c, parts := offering(20, true), map[entity.Name]*scope.Part{}
	scope.SharedDestinationsFrom(c.View(), parts)
	before := maps.Clone(parts)
	dropParts(parts, c.Apply([]catalog.Change{catalog.Set(Service("a", "new", "nobody", "172.0.9.1", 80, inventory.ProtocolHTTP)), catalog.Set(Service("a", "service-3", "other", "172.0.9.2", 80, inventory.ProtocolHTTP))}))
	scope.SharedDestinationsFrom(c.View(), parts)
	var built []string
	for name, part := range parts {
		if part != before[name] {
			built = append(built, name.Name)
		}
	}
	if len(built) != 2 || len(parts) != 21 {
		t.Errorf("%d parts, of which %v were built", len(parts), built)
	}
	dropParts(parts, c.Apply([]catalog.Change{{Ref: entity.Ref{Kind: entity.KindService, Name: Name("a", "new")}}}))
	scope.SharedDestinationsFrom(c.View(), parts)
	if len(parts) != 20 {
		t.Errorf("%d parts after a Service was deleted, want 20", len(parts))
	}
}

// TestScopeFromParts applies random edits to a Service with many routes and to others. A scope that is built from kept parts has what it has when it is built at
// once, and depends on the same.
func TestScopeFromParts(t *testing.T) {
	kept := 0
	rapid.Check(t, func(rt *rapid.T) {
		c, parts := Apply(servedOnePort()...), map[entity.Name]*scope.Part{}
		key := scope.KeyOfServices(identity.ServiceAccount{Namespace: "a", Name: "one"}, []entity.Name{Name("a", "two")})
		key.Class.OnDemand = rapid.Bool().Draw(rt, "on demand")
		for range rapid.IntRange(1, 20).Draw(rt, "edits") {
			change := Change().Draw(rt, "change")
			if rapid.IntRange(0, 2).Draw(rt, "one of many routes") == 0 {
				change = RouteChange(Name("a", "one"), manyRoutes).Draw(rt, "route")
			}
			dropParts(parts, c.Apply([]catalog.Change{change}))
			whole, fromParts := c.View(), c.View()
			want, got := scope.Build(whole, "cluster.local", key), scope.BuildFromParts(fromParts, identity.OneTrustDomain("cluster.local"), key, parts)
			if diff := cmp.Diff(want, got, cmpopts.EquateEmpty(), cmpopts.EquateComparable(netip.Addr{}, netip.AddrPort{}, netip.Prefix{}),
				cmp.Exporter(func(reflect.Type) bool { return true })); diff != "" {
				rt.Fatalf("after %+v (-at once +from parts):\n%s", change.Entry, diff)
			}
			wantDeps, gotDeps := slices.SortedFunc(slices.Values(whole.Deps()), entity.Dep.Compare), slices.SortedFunc(slices.Values(fromParts.Deps()), entity.Dep.Compare)
			if diff := cmp.Diff(wantDeps, gotDeps); diff != "" {
				rt.Fatalf("dependencies after %+v (-at once +from parts):\n%s", change.Entry, diff)
			}
			kept += len(parts)
		}
	})
	if kept == 0 {
		t.Error("no part was kept")
	}
}

// manyRoutes are the routes of a Service that TestScopeFromParts edits.
const manyRoutes = 6

// servedOnePort returns a Service with many routes, and a client that may call it.
func servedOnePort() []catalog.Entry {
	server := Pod("a", "server", "server", "server", "10.0.1.1")
	service := Service("a", "one", "server", "10.96.0.9", 80, inventory.ProtocolHTTP)
	entries := []catalog.Entry{
		&catalog.Namespace{Name: "a", Monitored: true}, &catalog.Namespace{Name: "b", Monitored: true}, &catalog.Settings{}, server, service, Slice(service.Name, server),
		Group("a", "routes", "/x"), Target("many", server.Identity(), []catalog.TargetRule{HTTP("routes")}, identity.ServiceAccount{Namespace: "a", Name: "one"}),
	}
	for i := range manyRoutes {
		entries = append(entries, Route(service.Name, i, 0))
	}
	return entries
}
