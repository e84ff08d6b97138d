package certificate

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
)

func TestMetricsCountIssuedCertificates(t *testing.T) {
	registry := prometheus.NewRegistry()
	root := newRoot(t, KeySpec{})
	now := time.Now()
	m := NewManager(Options{
		Root: root, TrustDomain: trustDomain, Lifetime: time.Hour, Now: func() time.Time { return now }, Jitter: func() float64 { return 0.5 },
		Metrics: NewMetrics(registry),
	})
	registry.MustRegister(NewExpiryCollector(m))
	first, err := m.Certificate(bookbuyer)
	if err != nil {
		t.Fatal(err)
	}
	now = now.Add(10 * time.Minute)
	if _, err := m.Certificate(identity.ServiceAccount{Namespace: "bookstore", Name: "bookstore"}); err != nil {
		t.Fatal(err)
	}
	now = root.NotAfter().Add(time.Second)
	if _, err := m.Certificate(identity.ServiceAccount{Namespace: "bookthief", Name: "bookthief"}); err == nil {
		t.Fatal("an expired root issues")
	}
	want := fmt.Sprintf(`
# HELP osm_cert_expiration_timestamp_seconds Expiry of a certificate, in seconds since 1970: root, issuer, or workload. Of several roots or workloads it is the first.
# TYPE osm_cert_expiration_timestamp_seconds gauge
osm_cert_expiration_timestamp_seconds{certificate="issuer"} %[1]d
osm_cert_expiration_timestamp_seconds{certificate="root"} %[1]d
osm_cert_expiration_timestamp_seconds{certificate="workload"} %[2]d
# HELP osm_cert_issue_error_count Attempts to issue the certificate of a workload that failed.
# TYPE osm_cert_issue_error_count counter
osm_cert_issue_error_count 1
# HELP osm_cert_issued_count Certificates of workloads that were issued, including renewals.
# TYPE osm_cert_issued_count counter
osm_cert_issued_count 2
`, root.NotAfter().Unix(), first.NotAfter.Unix())
	err = testutil.GatherAndCompare(registry, strings.NewReader(want), "osm_cert_expiration_timestamp_seconds", "osm_cert_issue_error_count", "osm_cert_issued_count")
	if err != nil {
		t.Error(err)
	}
	if n, err := testutil.GatherAndCount(registry, "osm_cert_issued_time"); err != nil || n != 1 {
		t.Errorf("%d histograms, %v", n, err)
	}
}
