package snapshot

import (
	"fmt"
	"reflect"
	"slices"
	"testing"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"

	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/delta"
	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/resource"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/resourcetype"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
)

// newCluster returns a cluster in a version.
func newCluster(t *testing.T, name, version string) *resource.Content {
	t.Helper()
	return newContent(t, envoy.Resource{TypeURL: resourcetype.Clusters.URL(), Name: name, Message: &clusterv3.Cluster{Name: name, AltStatName: version}})
}

func newContent(t *testing.T, r envoy.Resource) *resource.Content {
	t.Helper()
	c, err := resource.New(r)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// newEndpoints returns the endpoints of a cluster.
func newEndpoints(t *testing.T, cluster string) *endpointsNode {
	t.Helper()
	e := &endpointsNode{cluster: cluster}
	e.current.Store(newContent(t, envoy.Resource{
		TypeURL: resourcetype.Endpoints.URL(), Name: cluster, Message: &endpointv3.ClusterLoadAssignment{ClusterName: cluster},
	}))
	return e
}

// editClusters returns edits of clusters.
func editClusters(clusters map[string]*resource.Content) edits {
	var e edits
	e.contents[resourcetype.Clusters] = clusters
	return e
}

// TestEditsOfALayer adds, replaces and removes resources.
func TestEditsOfALayer(t *testing.T) {
	var l layer
	names := []string{"h", "b", "f", "a", "g", "c", "e", "d"}
	add, remove := map[string]*resource.Content{}, map[string]*resource.Content{}
	for _, name := range names {
		add[name], remove[name] = newCluster(t, name, "1"), nil
	}
	sorted := slices.Sorted(slices.Values(names))
	if got := l.apply(editClusters(add))[resourcetype.Clusters]; !slices.Equal(got, sorted) {
		t.Errorf("the added clusters are %v, want %v", got, sorted)
	}
	if got := l.apply(editClusters(map[string]*resource.Content{"a": add["a"], "b": newCluster(t, "b", "2"), "missing": nil})); !slices.Equal(got[resourcetype.Clusters], []string{"b"}) || got.Len() != 1 {
		t.Errorf("the changes are %v, want the cluster b only", got)
	}
	if got := l.apply(editClusters(remove))[resourcetype.Clusters]; !slices.Equal(got, sorted) || len(l.all()) > 0 {
		t.Errorf("the removed clusters are %v, and %d are left; want all removed: %v", got, len(l.all()), sorted)
	}
}

// TestEndpointsOfALayer lists endpoints, also before they could be made.
func TestEndpointsOfALayer(t *testing.T) {
	one, two := newEndpoints(t, "one"), newEndpoints(t, "two")
	l := layer{endpoints: map[string]*endpointsNode{"one": one, "two": two, "not made": {}}}
	if got := l.all(); len(got) != 2 || slices.Contains(got, nil) {
		t.Errorf("the endpoints are %v, want two", got)
	}
	other := newEndpoints(t, "two")
	got := l.replacedEndpoints(edits{endpoints: map[string]*endpointsNode{"one": one, "two": other, "new": other}})
	if !slices.Equal(got, []*endpointsNode{two}) {
		t.Errorf("%d endpoints are replaced, want those of the cluster two", len(got))
	}
	e := editClusters(map[string]*resource.Content{"kept": newCluster(t, "kept", "1")})
	e.endpoints = map[string]*endpointsNode{"one": other}
	l.contents[resourcetype.Clusters] = map[string]*resource.Content{"kept": newCluster(t, "kept", "0"), "gone": newCluster(t, "gone", "1")}
	e.removeOthers(&l)
	changes := l.apply(e)
	if got := fmt.Sprint(changes[resourcetype.Clusters], changes[resourcetype.Endpoints]); got != "[gone kept] [not made one two]" || len(l.all()) != 2 {
		t.Errorf("changed are %s, and %d resources are left; want all, and the cluster and the endpoints with an edit", got, len(l.all()))
	}
}

// TestSumsOfASharedLayer checks the versions of a layer after edits.
func TestSumsOfASharedLayer(t *testing.T) {
	h := newHarness()
	l := &sharedLayer{scopes: map[*scopeNode]struct{}{}}
	one, two, three, newer := newCluster(t, "one", "1"), newCluster(t, "two", "1"), newCluster(t, "three", "1"), newCluster(t, "two", "2")
	expect := func(when string, others map[string]*resource.Content, want resource.Version) {
		t.Helper()
		if got := l.sumWithout(resourcetype.Clusters, others); got != want {
			t.Errorf("%s: the sum is %s, want %s", when, got, want)
		}
	}
	l.update(h.store, editClusters(map[string]*resource.Content{"one": one, "two": two, "three": three}))
	expect("at first", nil, one.Hash().Xor(two.Hash()).Xor(three.Hash()))
	l.update(h.store, editClusters(map[string]*resource.Content{"two": newer, "three": nil}))
	expect("after a change", nil, one.Hash().Xor(newer.Hash()))
	expect("with one in another form", map[string]*resource.Content{"two": two, "elsewhere": three}, one.Hash())
}

// TestBaseOfASharedLayer checks which versions streams have in common: those of destinations that all clients have.
func TestBaseOfASharedLayer(t *testing.T) {
	l := &sharedLayer{layer: layer{endpoints: map[string]*endpointsNode{}}}
	clusters, endpoints := map[string]resource.Version{}, map[string]resource.Version{}
	l.contents[resourcetype.Clusters] = map[string]*resource.Content{}
	for i := range 10 {
		for _, name := range []string{fmt.Sprint("a/s|", i), destinationName(fmt.Sprint("10.96.0.", i))} {
			l.contents[resourcetype.Clusters][name], l.endpoints[name] = newCluster(t, name, "1"), newEndpoints(t, name)
			if !scope.IsOnDemandName(name) {
				clusters[name] = l.contents[resourcetype.Clusters][name].Hash()
				endpoints[name] = resource.CombineVersions(l.endpoints[name].current.Load().Hash(), clusters[name])
			}
		}
	}
	l.endpoints["without cluster"] = newEndpoints(t, "without cluster")
	l.endpoints["not made"] = &endpointsNode{}
	l.contents[resourcetype.Clusters]["not made"] = newCluster(t, "not made", "1")
	clusters["not made"] = l.contents[resourcetype.Clusters]["not made"].Hash()
	for kind, want := range map[resourcetype.Type]map[string]resource.Version{resourcetype.Clusters: clusters, resourcetype.Endpoints: endpoints, resourcetype.Routes: {}} {
		if got := l.newBase(kind); !reflect.DeepEqual(got, delta.NewBase(want)) {
			t.Errorf("%s: the base is %v, want %v", kind, got, want)
		}
	}
}

// TestBaseIsMadeAgain checks after how many changes a base is made again.
func TestBaseIsMadeAgain(t *testing.T) {
	most := delta.MaxExceptions(nil)
	l := &sharedLayer{}
	changed := func(kinds map[resourcetype.Type]int) *delta.Changes {
		var c delta.Changes
		for kind, n := range kinds {
			c[kind] = slices.Repeat([]string{"name"}, n)
		}
		return &c
	}
	expect := func(when string, want map[resourcetype.Type]int) {
		t.Helper()
		for _, kind := range []resourcetype.Type{resourcetype.Clusters, resourcetype.Endpoints, resourcetype.Routes} {
			b, n := l.bases[kind], want[kind]
			if made := n < 0; made != (b.base != nil) || b.changes != max(n, 0) {
				t.Errorf("%s: the base of %s is made: %t, with %d changes since; want made: %t, changes %d", when, kind, b.base != nil, b.changes, made, max(n, 0))
			}
		}
	}
	l.refreshBases(changed(map[resourcetype.Type]int{resourcetype.Routes: most}))
	expect("after few changes", map[resourcetype.Type]int{resourcetype.Routes: most})
	l.refreshBases(changed(map[resourcetype.Type]int{resourcetype.Clusters: 2, resourcetype.Endpoints: 1}))
	expect("after changes of clusters", map[resourcetype.Type]int{resourcetype.Routes: most, resourcetype.Clusters: 2, resourcetype.Endpoints: 3})
	l.refreshBases(changed(map[resourcetype.Type]int{resourcetype.Routes: 1, resourcetype.Clusters: 2}))
	expect("after more", map[resourcetype.Type]int{resourcetype.Routes: -1, resourcetype.Clusters: 4, resourcetype.Endpoints: -1})
}

// TestTraceOfSharedDestinations changes a resource of shared destinations.
func TestTraceOfSharedDestinations(t *testing.T) {
	m := newPermissiveMesh(t, "a", "a", "a")
	split, group := m.splitOf(0, "/x")
	m.apply(split, group)
	_, edited := m.splitOf(0, "/y")
	m.apply(edited)
	trace := m.traceOf(t, entity.Ref{Kind: entity.KindHTTPRouteGroup, Name: group.Name})
	if trace.Resources != 1 || trace.Streams != 3 {
		t.Errorf("the trace has %d changed resources and %d streams, want the routes and 3", trace.Resources, trace.Streams)
	}
}
