package xds

import "github.com/prometheus/client_golang/prometheus"

type metrics struct {
	refused *prometheus.CounterVec
	claims  prometheus.Counter
}

func newMetrics(registerer prometheus.Registerer) *metrics {
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
	registerer.MustRegister(m.refused, m.claims)
	return m
}
