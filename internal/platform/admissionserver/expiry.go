package admissionserver

import (
	"crypto/tls"

	"github.com/prometheus/client_golang/prometheus"
)

// expiryCollector exports when a served certificate expires.
type expiryCollector struct {
	certificate func(*tls.ClientHelloInfo) (*tls.Certificate, error)
	expiry      *prometheus.Desc
}

// NewExpiryCollector returns a collector of the expiry of the certificate that a webhook serves. The operator renews it, so the process that
// serves it reports whether that has happened. Without a certificate it exports nothing.
func NewExpiryCollector(certificate func(*tls.ClientHelloInfo) (*tls.Certificate, error)) prometheus.Collector {
	return expiryCollector{certificate, prometheus.NewDesc("osm_webhook_cert_expiration_timestamp_seconds",
		"Expiry of the certificate that the webhook of this process serves, in seconds since 1970.", nil, nil)}
}

// Describe implements prometheus.Collector.
func (c expiryCollector) Describe(descs chan<- *prometheus.Desc) { descs <- c.expiry }

// Collect implements prometheus.Collector.
func (c expiryCollector) Collect(out chan<- prometheus.Metric) {
	served, err := c.certificate(nil)
	if err == nil && served != nil && served.Leaf != nil {
		out <- prometheus.MustNewConstMetric(c.expiry, prometheus.GaugeValue, float64(served.Leaf.NotAfter.Unix()))
	}
}
