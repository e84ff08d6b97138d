package snapshot

import (
	"fmt"
	"slices"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/resourcetype"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
	"github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// TestResyncFindsWhatWasMissed changes the catalog without a rebuild, and the resources of scopes. A resync must find each difference.
func TestResyncFindsWhatWasMissed(t *testing.T) {
	m := newPermissiveMesh(t, "a", "a")
	backend := meshtest.Pod("a", "backend", "backend", "backend", "10.0.0.90")
	known := meshtest.Service("a", "known", "backend", "10.96.0.60", 80, inventory.ProtocolHTTP)
	m.apply(backend, known, meshtest.Slice(known.Name, backend))
	n, l := m.scope(0), m.scope(0).shared
	first, pod := slices.Sorted(n.Names(resourcetype.Listeners)), *m.pods[0]
	pod.Metrics = true
	service := meshtest.Service("a", "new", "s0", "10.96.0.50", 80, inventory.ProtocolHTTP)
	split := &catalog.TrafficSplit{Name: known.Name, Root: known.Name, Backends: []catalog.SplitBackend{{Service: meshtest.Name("a", "s1"), Weight: 1}}}
	before := outboundOf(m.scopeOf(n), "known").Backends[0].Cluster
	missed := func(entries ...catalog.Entry) {
		for _, entry := range entries {
			m.store.catalog.Apply([]catalog.Change{catalog.Set(entry)})
		}
	}
	for _, step := range []struct {
		name  string
		miss  func()
		fixed func() bool
	}{
		{
			"a resource of a scope", func() { clear(n.own.contents[resourcetype.Listeners]) },
			func() bool { return fmt.Sprint(slices.Sorted(n.Names(resourcetype.Listeners))) == fmt.Sprint(first) },
		},
		{
			"a resource of shared destinations", func() { delete(l.contents[resourcetype.Clusters], "a/s1|80") },
			func() bool { return l.contents[resourcetype.Clusters]["a/s1|80"] != nil },
		},
		{
			"a Service of shared destinations", func() { missed(service, meshtest.Slice(service.Name, m.pods[1])) },
			func() bool { return l.contents[resourcetype.Clusters]["a/new|80"] != nil },
		},
		{
			"a policy about a Service of shared destinations", func() { missed(split) },
			func() bool { return outboundOf(m.scopeOf(n), "known").Backends[0].Cluster != before },
		},
		{"a pod", func() { missed(&pod) }, func() bool { return m.scope(0) != n && m.scope(0).key.Class.Metrics }},
	} {
		if step.miss(); step.fixed() {
			t.Fatalf("%s: nothing was missed", step.name)
		}
		m.store.Resync()
		m.run()
		if !step.fixed() {
			t.Errorf("%s: a resync does not find what was missed", step.name)
		}
	}
}

// outboundOf returns the first destination of a Service.
func outboundOf(s *scope.Scope, service string) scope.Outbound {
	for _, o := range s.Outbound {
		if o.Service.Name == service {
			return o
		}
	}
	return scope.Outbound{}
}
