package certificate

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics counts issued workload certificates. The names of the first two are those of OSM.
type Metrics struct {
	issued  prometheus.Counter
	seconds prometheus.Histogram
	failed  prometheus.Counter
}

// NewMetrics registers the metrics.
func NewMetrics(registry prometheus.Registerer) *Metrics {
	m := &Metrics{
		issued: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "osm_cert_issued_count", Help: "Certificates of workloads that were issued, including renewals.",
		}),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "osm_cert_issued_time", Help: "Seconds to issue the certificate of a workload.", Buckets: prometheus.ExponentialBuckets(0.0001, 4, 10),
		}),
		failed: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "osm_cert_issue_error_count", Help: "Attempts to issue the certificate of a workload that failed.",
		}),
	}
	registry.MustRegister(m.issued, m.seconds, m.failed)
	return m
}

// observe records an attempt to issue a certificate. It does nothing without metrics.
func (m *Metrics) observe(duration time.Duration, err error) {
	switch {
	case m == nil:
	case err != nil:
		m.failed.Inc()
	default:
		m.issued.Inc()
		m.seconds.Observe(duration.Seconds())
	}
}

// expiryCollector exports when certificates expire.
type expiryCollector struct {
	manager *Manager
	expiry  *prometheus.Desc
}

// NewExpiryCollector returns a collector of the expiry of the root, the issuer, and the first workload certificate of a Manager.
func NewExpiryCollector(manager *Manager) prometheus.Collector {
	return expiryCollector{manager, prometheus.NewDesc("osm_cert_expiration_timestamp_seconds",
		"Expiry of a certificate, in seconds since 1970: root, issuer, or workload. Of several roots or workloads it is the first.", []string{"certificate"}, nil)}
}

// Describe implements prometheus.Collector.
func (c expiryCollector) Describe(descs chan<- *prometheus.Desc) { descs <- c.expiry }

// Collect implements prometheus.Collector.
func (c expiryCollector) Collect(out chan<- prometheus.Metric) {
	issuer, root, workload := c.manager.expiries()
	for name, end := range map[string]time.Time{"issuer": issuer, "root": root, "workload": workload} {
		if !end.IsZero() {
			out <- prometheus.MustNewConstMetric(c.expiry, prometheus.GaugeValue, float64(end.Unix()), name)
		}
	}
}

// expiries returns when the issuer, the first root and the first workload certificate expire. A time without certificate is zero.
func (m *Manager) expiries() (issuer, root, workload time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	issuer = m.issuer.root.NotAfter()
	for _, c := range m.issuer.root.trusted {
		root = earlier(root, c.NotAfter)
	}
	for _, e := range m.entries {
		if e.issued() {
			workload = earlier(workload, e.leaf.NotAfter)
		}
	}
	return issuer, root, workload
}

// earlier returns the earlier of two times. A zero time counts as none.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || b.Before(a) {
		return b
	}
	return a
}
