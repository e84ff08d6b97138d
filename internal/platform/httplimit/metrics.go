package httplimit

import "github.com/prometheus/client_golang/prometheus"

// Metrics counts what limits reject.
type Metrics struct{ closed prometheus.Counter }

// NewMetrics registers the metrics.
func NewMetrics(registerer prometheus.Registerer) *Metrics {
	m := &Metrics{closed: prometheus.NewCounter(prometheus.CounterOpts{
		Name: "osm_http_connection_closed_count", Help: "Connections that were refused or closed because too many were open.",
	})}
	registerer.MustRegister(m.closed)
	return m
}

// CountClosed counts a connection that was refused or closed because of a limit.
func (m *Metrics) CountClosed() { m.closed.Inc() }
