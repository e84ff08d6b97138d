package xds

import "github.com/prometheus/client_golang/prometheus"

type metrics struct {
	rejected                                   *prometheus.CounterVec
	nodeMismatches, droppedLines, droppedLoads prometheus.Counter
}

func newMetrics(registerer prometheus.Registerer, handshakes *handshakeLimiter) *metrics {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	}
	m := &metrics{
		rejected: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "osm_proxy_rejected_count", Help: "Streams that were rejected or ended because of the client or its requests.",
		}, []string{"reason"}),
		nodeMismatches: counter("osm_proxy_node_mismatch_count", "Requests whose node ID names another workload than the token."),
		droppedLines:   counter("osm_proxy_rejected_unlogged_count", "Rejections that were not logged because of the rate limit."),
		droppedLoads: counter("osm_proxy_load_report_dropped_count",
			"Clusters in load reports that were not recorded because of a limit."),
	}
	pending := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "osm_proxy_handshake_count", Help: "Connections in their TLS handshake.",
	}, func() float64 { return float64(handshakes.total.Load()) })
	registerer.MustRegister(m.rejected, m.nodeMismatches, m.droppedLines, m.droppedLoads, pending)
	return m
}

// countClosedPending counts a connection that was closed because it, or too many, had no stream of a known pod.
func (m *metrics) countClosedPending() { m.rejected.WithLabelValues("handshakes").Inc() }
