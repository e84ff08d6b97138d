package snapshot

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are those of OSM, without labels that name a proxy: such series would grow with every pod there ever was.
type metrics struct {
	reconnects, full prometheus.Counter
	success, failure *prometheus.CounterVec
	requests         *prometheus.CounterVec
	rejections       *prometheus.CounterVec
	foreign          prometheus.Counter
	quarantined      *prometheus.CounterVec
	withheld         prometheus.Gauge
	updateTime       *prometheus.HistogramVec
	broadcasts       prometheus.Counter
	stages           [numStages]prometheus.Observer
	changes          prometheus.Histogram
	monitored        *monitored
}

func newMetrics(registerer prometheus.Registerer, connected *registry, waiting *queue) *metrics {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	}
	byType := func(name, help string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, []string{"type"})
	}
	m := &metrics{
		reconnects: counter("osm_proxy_reconnect_count", "Streams of sidecars that already held configuration."),
		full:       counter("osm_proxy_max_connections_rejected", "Sidecars refused because of maxDataPlaneConnections."),
		success:    byType("osm_proxy_response_send_success_count", "Responses sent to sidecars."),
		failure:    byType("osm_proxy_response_send_error_count", "Responses that could not be sent to sidecars."),
		requests:   byType("osm_proxy_xds_request_count", "Requests of sidecars."),
		rejections: byType("osm_proxy_response_rejected_count", "Responses that sidecars rejected."),
		foreign:    counter("osm_proxy_foreign_secret_request_count", "Names of other workloads' certificates that sidecars asked for."),
		quarantined: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "osm_policy_rejected_count",
			Help: "Policies that were withheld because a sidecar rejected what came of them.",
		}, []string{"kind"}),
		withheld: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "osm_policy_withheld_count",
			Help: "Policies that are withheld now, counted once for each kind of sidecar that they are withheld from.",
		}),
		updateTime: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "osm_proxy_config_update_time",
			Help:    "Seconds from a change to its acknowledgement or rejection by a sidecar.",
			Buckets: []float64{.001, .005, .02, .1, .25, .5, 1, 2.5, 5, 10, 20, 40, 90},
		}, []string{"resource_type", "success"}),
	}
	m.traces(registerer)
	m.monitored = newMonitored(registerer)
	queued := prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "osm_events_queued", Help: "Changes of objects that wait to be taken in."},
		func() float64 { return float64(waiting.length()) })
	count := prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "osm_proxy_connect_count", Help: "Connected sidecars."},
		func() float64 { return float64(connected.count()) })
	registerer.MustRegister(m.reconnects, m.full, m.success, m.failure, m.requests, m.rejections, m.foreign, m.quarantined, m.withheld,
		m.updateTime, queued, count)
	return m
}

func (m *metrics) sent(t Type, err error) {
	if err != nil {
		m.failure.WithLabelValues(t.String()).Inc()
		return
	}
	m.success.WithLabelValues(t.String()).Inc()
}

func (m *metrics) requested(v Verdict, foreignSecrets int) {
	m.requests.WithLabelValues(v.Type.String()).Inc()
	m.foreign.Add(float64(foreignSecrets))
	if v.Reconnect {
		m.reconnects.Inc()
	}
	if !v.Answers {
		return
	}
	accepted := v.Rejection == ""
	if !accepted {
		m.rejections.WithLabelValues(v.Type.String()).Inc()
	}
	m.updateTime.WithLabelValues(v.Type.String(), strconv.FormatBool(accepted)).Observe(v.Waited.Seconds())
}
