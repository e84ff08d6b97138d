package admissionserver

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

// The certificate is replaced while the process runs. The metric must be that of the present one.
func TestExpiryOfTheServedCertificate(t *testing.T) {
	var served *tls.Certificate
	var failure error
	registry := prometheus.NewRegistry()
	registry.MustRegister(NewExpiryCollector(func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return served, failure }))
	const head = "# HELP osm_webhook_cert_expiration_timestamp_seconds Expiry of the certificate that the webhook of this process serves, in seconds since 1970.\n" +
		"# TYPE osm_webhook_cert_expiration_timestamp_seconds gauge\n"
	until := func(unix int64) *tls.Certificate {
		return &tls.Certificate{Leaf: &x509.Certificate{NotAfter: time.Unix(unix, 0)}}
	}
	for _, step := range []struct {
		served  *tls.Certificate
		failure error
		want    string
	}{
		{until(1_000), nil, head + "osm_webhook_cert_expiration_timestamp_seconds 1000\n"},
		{until(2_000), nil, head + "osm_webhook_cert_expiration_timestamp_seconds 2000\n"},
		{nil, errors.New("no certificate"), ""},
	} {
		served, failure = step.served, step.failure
		if err := testutil.GatherAndCompare(registry, strings.NewReader(step.want)); err != nil {
			t.Error(err)
		}
	}
}
