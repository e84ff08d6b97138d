package status

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

type traceMetrics struct {
	stages     [numStages]prometheus.Observer
	total      prometheus.Histogram
	scopes     prometheus.Histogram
	resources  prometheus.Histogram
	broadcasts prometheus.Counter
}

// newTraceMetrics registers the metrics of batches. The buckets range from an endpoint change to a proxy that does not answer.
func newTraceMetrics(registerer prometheus.Registerer) *traceMetrics {
	m := &traceMetrics{}
	buckets := []float64{.00001, .0001, .0005, .001, .002, .005, .01, .02, .05, .1, .25, .5, 1, 2.5, 5, 10, 40}
	stages := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "osm_change_stage_seconds",
		Help:    "Seconds that a change of the mesh spends in each stage: ingest, queue, catalog, scope, envoy, push and acknowledge. The last two are those of the slowest sidecar.",
		Buckets: buckets,
	}, []string{"stage"})
	for stage := range numStages {
		m.stages[stage] = stages.WithLabelValues(stage.String())
	}
	m.total = prometheus.NewHistogram(prometheus.HistogramOpts{
		Name:    "osm_change_seconds",
		Help:    "Seconds from the watch event of a change to the answer of the last affected sidecar.",
		Buckets: buckets,
	})
	m.scopes = prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "osm_change_scopes", Help: "Scopes, which are kinds of sidecars, that a change rebuilds.", Buckets: changeSizes(),
	})
	m.resources = prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "osm_change_resources", Help: "Resources of scopes that a change adds, modifies or removes.", Buckets: changeSizes(),
	})
	m.broadcasts = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "osm_proxy_broadcast_event_count", Help: "Changes of the mesh that affected at least one connected sidecar.",
	})
	registerer.MustRegister(stages, m.total, m.scopes, m.resources, m.broadcasts)
	return m
}

// changeSizes are the buckets of numbers of objects: 1, 4, 16, up to 65,536.
func changeSizes() []float64 { return prometheus.ExponentialBuckets(1, 4, 9) }

// observe records a batch that all streams have answered.
func (m *traceMetrics) observe(t *BatchTrace, duration time.Duration) {
	for stage := range numStages {
		if spent, ok := t.stage(stage); ok {
			m.stages[stage].Observe(spent.Seconds())
		}
	}
	if t.streams > 0 {
		m.total.Observe(duration.Seconds())
		m.scopes.Observe(float64(t.scopes))
		m.resources.Observe(float64(t.resources))
	}
}
