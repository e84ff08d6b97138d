package snapshot

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/openservicemesh/osm-operator/internal/catalog"
)

// traces registers the metrics of changes. Their buckets reach from what a change of one endpoint takes to what a sidecar that
// hangs takes.
func (m *metrics) traces(registerer prometheus.Registerer) {
	buckets := []float64{.00001, .0001, .0005, .001, .002, .005, .01, .02, .05, .1, .25, .5, 1, 2.5, 5, 10, 40}
	stages := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "osm_change_stage_seconds",
		Help:    "Seconds that a change of the mesh spends in each stage: ingest, queue, catalog, scope, envoy, push and acknowledge. The last two are those of the slowest sidecar.",
		Buckets: buckets,
	}, []string{"stage"})
	for stage := range numStages {
		m.stages[stage] = stages.WithLabelValues(stage.String())
	}
	m.changes = prometheus.NewHistogram(prometheus.HistogramOpts{
		Name:    "osm_change_seconds",
		Help:    "Seconds from the watch event of a change to the answer of the last sidecar that it concerns.",
		Buckets: buckets,
	})
	m.broadcasts = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "osm_proxy_broadcast_event_count", Help: "Changes of the mesh that concerned at least one connected sidecar.",
	})
	registerer.MustRegister(stages, m.changes, m.broadcasts)
}

// traced observes a change that everybody has answered.
func (m *metrics) traced(t *trace, took time.Duration) {
	for stage := range numStages {
		if spent, ok := t.stage(stage); ok {
			m.stages[stage].Observe(spent.Seconds())
		}
	}
	if t.streams > 0 {
		m.changes.Observe(took.Seconds())
	}
}

// monitored counts the namespaces of the mesh.
type monitored struct {
	gauge prometheus.Gauge
	names map[string]struct{}
}

func newMonitored(registerer prometheus.Registerer) *monitored {
	m := &monitored{
		gauge: prometheus.NewGauge(prometheus.GaugeOpts{Name: "osm_resource_namespace_count", Help: "Namespaces that are part of the mesh."}),
		names: map[string]struct{}{},
	}
	registerer.MustRegister(m.gauge)
	return m
}

// counted takes changes that were made.
func (m *metrics) counted(list []catalog.Change) {
	for i := range list {
		change := &list[i]
		if change.Ref.Kind != catalog.KindNamespace {
			continue
		}
		name := change.Ref.Name.Namespace
		if ns, ok := change.Entry.(*catalog.Namespace); ok && ns.Monitored {
			m.monitored.names[name] = struct{}{}
		} else {
			delete(m.monitored.names, name)
		}
		m.monitored.gauge.Set(float64(len(m.monitored.names)))
	}
}
