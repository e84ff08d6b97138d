package admissionserver

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/openservicemesh/osm-operator/internal/platform/httplimit"
)

// shutdownTimeout limits the reviews that are in flight when the server stops.
const shutdownTimeout = 20 * time.Second

// Profile returns the limits of clients for a number of concurrent reviews. They leave room for several API servers that create many pods at
// once. One address can stand for all of them.
func Profile(requests int) httplimit.Profile {
	limits := httplimit.Limits{
		Connections: 1024, ConnectionsPerAddress: 256, Requests: requests, RequestsPerAddress: max(requests/4, 1),
		// A review has up to two objects of the API server's size limit, and some overhead. Usual reviews are small.
		Body: 7 << 20, SmallBody: 64 << 10, LargeBodies: 8,
	}
	return httplimit.Profile{
		Limits: limits, HeaderTimeout: 10 * time.Second, ReadTimeout: 20 * time.Second, WriteTimeout: 30 * time.Second, IdleTimeout: 2 * time.Minute,
		MaxHeader: 64 << 10,
	}
}

// Config configures a server. All fields are required, unless documented otherwise.
type Config struct {
	Listener net.Listener
	Handler  http.Handler
	// Certificate returns the certificate of each handshake.
	Certificate func(*tls.ClientHelloInfo) (*tls.Certificate, error)
	// ClientCAs are the authorities whose clients may connect. The default is any client, also without a certificate.
	ClientCAs *x509.CertPool
	// Requests is how many reviews are handled at the same time, a quarter of them from one address.
	Requests int
	// PropagationDelay is how long a stopping server still accepts reviews, until every API server has removed its
	// endpoint. The default is none.
	PropagationDelay time.Duration
	// OnClosed is called for each connection that is refused or closed because of a limit.
	OnClosed func()
}

// Serve serves reviews until ctx ends, and then drains.
func Serve(ctx context.Context, config Config) error {
	server := &http.Server{Handler: config.Handler, TLSConfig: config.tls()} //nolint:gosec // the profile has the timeouts
	// The limits exclude HTTP/2, with which an API server would send all reviews over one connection, and so to one replica.
	listener := Profile(config.Requests).Apply(server, config.Listener, config.OnClosed)
	if err := httplimit.ServeTLS(ctx, server, listener, httplimit.Shutdown{Delay: config.PropagationDelay, Timeout: shutdownTimeout}); err != nil {
		return fmt.Errorf("serve reviews: %w", err)
	}
	return nil
}

func (c Config) tls() *tls.Config {
	config := &tls.Config{GetCertificate: c.Certificate, MinVersion: tls.VersionTLS13}
	if c.ClientCAs != nil {
		config.ClientCAs, config.ClientAuth = c.ClientCAs, tls.RequireAndVerifyClientCert
	}
	return config
}

// ParseClientCAs reads the PEM certificates of authorities. It returns nil, which accepts any client, for an empty text.
func ParseClientCAs(text string) (*x509.CertPool, error) {
	if text == "" {
		return nil, nil
	}
	pool := x509.NewCertPool()
	for rest := []byte(text); len(bytes.TrimSpace(rest)) > 0; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			return nil, errors.New("the authorities for clients of the webhook are not PEM certificates: correct spec.controlPlane.webhookClientCABundle of the Mesh")
		}
		authority, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("an authority for clients of the webhook is invalid: correct spec.controlPlane.webhookClientCABundle of the Mesh: %w", err)
		}
		pool.AddCert(authority)
	}
	return pool, nil
}

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
