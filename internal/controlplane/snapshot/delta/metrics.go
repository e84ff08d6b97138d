package delta

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics counts requests and responses of all streams. No label names a proxy: such series would grow with every pod.
type Metrics struct {
	sent, sentBytes, sendErrors, requests, rejections *prometheus.CounterVec
	reconnects, foreignCertificates                   prometheus.Counter
	latency                                           *prometheus.HistogramVec
}

// NewMetrics registers the metrics.
func NewMetrics(registerer prometheus.Registerer) *Metrics {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	}
	byType := func(name, help string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, []string{"type"})
	}
	m := &Metrics{
		sent:                byType("osm_proxy_response_send_success_count", "Responses sent to sidecars."),
		sentBytes:           byType("osm_proxy_response_bytes_total", "Bytes of resources in responses sent to sidecars."),
		sendErrors:          byType("osm_proxy_response_send_error_count", "Responses that could not be sent to sidecars."),
		requests:            byType("osm_proxy_xds_request_count", "Requests of sidecars."),
		rejections:          byType("osm_proxy_response_rejected_count", "Responses that sidecars rejected."),
		reconnects:          counter("osm_proxy_reconnect_count", "Streams of sidecars that already had configuration."),
		foreignCertificates: counter("osm_proxy_foreign_secret_request_count", "Subscriptions of sidecars to certificates of other workloads."),
		latency: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "osm_proxy_config_update_time",
			Help:    "Seconds from a change to its acknowledgement or rejection by a sidecar.",
			Buckets: []float64{.001, .005, .02, .1, .25, .5, 1, 2.5, 5, 10, 20, 40, 90},
		}, []string{"resource_type", "success"}),
	}
	registerer.MustRegister(m.sent, m.sentBytes, m.sendErrors, m.requests, m.rejections, m.reconnects, m.foreignCertificates, m.latency)
	return m
}

func (m *Metrics) countResponse(r *Response, err error) {
	if err != nil {
		m.sendErrors.WithLabelValues(r.Type.String()).Inc()
		return
	}
	m.sent.WithLabelValues(r.Type.String()).Inc()
	m.sentBytes.WithLabelValues(r.Type.String()).Add(float64(r.contentSize()))
}

func (m *Metrics) countRequest(result requestResult, foreignCertificates int) {
	m.requests.WithLabelValues(result.Type.String()).Inc()
	m.foreignCertificates.Add(float64(foreignCertificates))
	if result.IsReconnect {
		m.reconnects.Inc()
	}
	if !result.IsAnswer {
		return
	}
	acknowledged := result.Message == ""
	if !acknowledged {
		m.rejections.WithLabelValues(result.Type.String()).Inc()
	}
	m.latency.WithLabelValues(result.Type.String(), strconv.FormatBool(acknowledged)).Observe(result.Latency.Seconds())
}
