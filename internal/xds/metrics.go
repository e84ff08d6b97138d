package xds

import "github.com/prometheus/client_golang/prometheus"

type metrics struct {
	refused  *prometheus.CounterVec
	claims   prometheus.Counter
	unlogged prometheus.Counter
	dropped  prometheus.Counter
}

func newMetrics(registerer prometheus.Registerer, handshakes *gate) *metrics {
	m := &metrics{
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "osm_proxy_refused_count",
			Help: "Streams that were refused or ended because of what the other end is or sent.",
		}, []string{"reason"}),
		claims: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "osm_proxy_node_mismatch_count",
			Help: "Requests whose node id names another workload than the token does.",
		}),
	}
	m.unlogged = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "osm_proxy_refused_unlogged_count",
		Help: "Refusals that were not logged, because there were too many.",
	})
	m.dropped = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "osm_proxy_load_report_dropped_count",
		Help: "Clusters in load reports that were not kept: there was no room, or the pod is not connected for discovery.",
	})
	waiting := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "osm_proxy_handshake_count", Help: "Connections whose TLS handshake is not over.",
	}, func() float64 { return float64(handshakes.inside.Load()) })
	registerer.MustRegister(m.refused, m.claims, m.unlogged, m.dropped, waiting)
	return m
}

// tooMany counts a connection that there was no room for.
func (m *metrics) tooMany() { m.refused.WithLabelValues("handshakes").Inc() }
