package snapshot

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
)

type metrics struct {
	full       prometheus.Counter
	namespaces prometheus.Gauge
	refused    prometheus.Gauge
	delayed    prometheus.Gauge
	// monitored has the names of the namespaces in the mesh. It belongs to the Store's goroutine.
	monitored map[string]struct{}
}

func newMetrics(registerer prometheus.Registerer, connected *registry, queue *queue) *metrics {
	gauge := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Name: name, Help: help})
	}
	m := &metrics{
		full: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "osm_proxy_max_connections_rejected", Help: "Sidecars rejected because of maxDataPlaneConnections.",
		}),
		namespaces: gauge("osm_resource_namespace_count", "Namespaces that are part of the mesh."),
		refused:    gauge("osm_proxy_refused_scope_count", "Configurations of sidecars that deny all requests, because those of their namespace are too large."),
		delayed:    gauge("osm_events_delayed", "Changes of objects that wait, because earlier ones of their namespace took long."),
		monitored:  map[string]struct{}{},
	}
	queued := prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "osm_events_queued", Help: "Changes of objects that wait to be applied."},
		func() float64 { return float64(queue.changeCount()) })
	proxies := prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "osm_proxy_connect_count", Help: "Connected sidecars."},
		func() float64 { return float64(connected.count()) })
	registerer.MustRegister(m.full, m.namespaces, m.refused, m.delayed, queued, proxies)
	return m
}

// countNamespaces updates the number of namespaces in the mesh.
func (m *metrics) countNamespaces(changes []catalog.Change) {
	for i := range changes {
		change := &changes[i]
		if change.Ref.Kind != entity.KindNamespace {
			continue
		}
		name := change.Ref.Name.Namespace
		if ns, ok := change.Entry.(*catalog.Namespace); ok && ns.Monitored {
			m.monitored[name] = struct{}{}
		} else {
			delete(m.monitored, name)
		}
		m.namespaces.Set(float64(len(m.monitored)))
	}
}
