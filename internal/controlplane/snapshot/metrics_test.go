package snapshot

import (
	"maps"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// metricsOf returns the metrics of the Store, by name.
func metricsOf(t *testing.T, gatherer prometheus.Gatherer) map[string]float64 {
	t.Helper()
	families, err := gatherer.Gather()
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]float64{}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			values[family.GetName()] = m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	return values
}

// TestMetricsOfTheStore checks that each metric is registered, and which namespaces and pods are counted.
func TestMetricsOfTheStore(t *testing.T) {
	registered, queue := prometheus.NewRegistry(), newQueue()
	connected := &registry{}
	m := newMetrics(registered, connected, queue)
	add := func(id entity.InstanceID) *Stream {
		stream := &Stream{peer: Peer{InstanceID: id}}
		connected.add(stream)
		return stream
	}
	expect := func(when string, want map[string]float64) {
		t.Helper()
		all := map[string]float64{
			"osm_proxy_max_connections_rejected": 0, "osm_resource_namespace_count": 0, "osm_proxy_refused_scope_count": 0, "osm_events_delayed": 0,
			"osm_events_queued": 0, "osm_proxy_connect_count": 0,
		}
		maps.Copy(all, want)
		if got := metricsOf(t, registered); !maps.Equal(got, all) {
			t.Errorf("%s: the metrics are %v, want %v", when, got, all)
		}
	}
	expect("at first", nil)
	pod := meshtest.Pod("b", "pod", "x", "x", "10.0.0.1")
	m.countNamespaces([]catalog.Change{
		catalog.Set(pod), catalog.Set(&catalog.Namespace{Name: "a", Monitored: true}), catalog.Set(&catalog.Namespace{Name: "outside"}), catalog.Set(&catalog.Namespace{Name: "b", Monitored: true}),
	})
	expect("with two namespaces of the mesh", map[string]float64{"osm_resource_namespace_count": 2})
	m.countNamespaces([]catalog.Change{catalog.Set(pod), catalog.Set(&catalog.Namespace{Name: "a"}), {Ref: entity.Ref{Kind: entity.KindNamespace, Name: entity.Name{Namespace: "outside"}}}})
	expect("after one has left the mesh", map[string]float64{"osm_resource_namespace_count": 1})
	m.countNamespaces([]catalog.Change{{Ref: entity.Ref{Kind: entity.KindNamespace, Name: entity.Name{Namespace: "b"}}}})
	queue.addChanges([]catalog.Change{catalog.Set(pod)}, time.Unix(1_800_000_000, 0))
	first, second := add("one"), add("one")
	add("two")
	expect("with pods and a change", map[string]float64{"osm_events_queued": 1, "osm_proxy_connect_count": 2})
	connected.remove(first)
	expect("after one of two streams has ended", map[string]float64{"osm_events_queued": 1, "osm_proxy_connect_count": 2})
	connected.remove(second)
	expect("after both have ended", map[string]float64{"osm_events_queued": 1, "osm_proxy_connect_count": 1})
}
