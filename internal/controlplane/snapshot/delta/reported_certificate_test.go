package delta

import (
	"testing"
	"time"

	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"

	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/resource"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/resourcetype"
)

// reportedExpiry is when the certificate of an earlier stream expires.
var reportedExpiry = time.Unix(1_800_000_000, 0).Add(time.Hour)

// setCertificate puts a certificate of the same authority that expires later into the snapshot.
func (c *conversation) setCertificate(text string, later time.Duration) {
	c.t.Helper()
	c.set(resourcetype.Secrets, envoy.ServiceCertName, text, resource.CertificateVersion("g", "a.example", reportedExpiry.Add(later)))
}

// reportCertificate subscribes to the certificate, of which the client has one of an earlier stream, and to other secrets.
func (c *conversation) reportCertificate(others ...string) {
	c.t.Helper()
	c.send(&discovery.DeltaDiscoveryRequest{
		TypeUrl: resourcetype.Secrets.URL(), ResourceNamesSubscribe: append([]string{envoy.ServiceCertName}, others...),
		InitialResourceVersions: map[string]string{envoy.ServiceCertName: resource.CertificateVersion("g", "a.example", reportedExpiry)},
	})
}

// TestReportedCertificateExpires lets the certificate of an earlier stream expire while another secret has no answer. Other secrets are not sent again.
func TestReportedCertificateExpires(t *testing.T) {
	c := newConversation(t)
	c.setCertificate("", 24*time.Hour)
	c.put(resourcetype.Secrets, "root", "1")
	c.reportCertificate("root")
	c.expect("SDS root")
	c.expect()
	c.now = c.q.deadline()
	c.expect() // root has no answer
	if got := c.q.deadline(); !got.IsZero() {
		t.Errorf("the next look is at %s, want none before the answer", got)
	}
	c.ack(resourcetype.Secrets)
	c.expect("SDS " + envoy.ServiceCertName)
	c.ack(resourcetype.Secrets)
	if got := c.q.deadline(); !got.IsZero() {
		t.Errorf("the next look is at %s, want none for the new certificate", got)
	}
}

// TestOtherSecretsKeepTheReportedCertificate sends another secret while the client uses a certificate of an earlier stream, which still expires.
func TestOtherSecretsKeepTheReportedCertificate(t *testing.T) {
	c := newConversation(t)
	c.setCertificate("", 24*time.Hour)
	c.reportCertificate()
	c.expect()
	until := c.q.deadline()
	c.put(resourcetype.Secrets, "root", "1")
	c.subscribe(resourcetype.Secrets, "root")
	c.expect("SDS root")
	c.ack(resourcetype.Secrets)
	c.put(resourcetype.Clusters, envoy.ServiceCertName, "1") // a cluster of that name is none
	c.subscribe(resourcetype.Clusters)
	c.expect("CDS " + envoy.ServiceCertName)
	if got := c.q.deadline(); !got.Equal(until) || until.IsZero() {
		t.Errorf("the certificate is looked at %s, want %s", got, until)
	}
	c.ack(resourcetype.Clusters)
	c.subscribe(resourcetype.Listeners)
	c.expect("LDS")
	c.ack(resourcetype.Listeners)
	c.remove(resourcetype.Secrets, envoy.ServiceCertName)
	c.expect("SDS -" + envoy.ServiceCertName)
	if got := c.q.certificateReusableUntil; !got.Equal(until) {
		t.Errorf("without a certificate in the snapshot, that of the client is used until %s, want %s", got, until)
	}
}

// TestRenewedCertificateReplacesTheReportedOne renews the certificate of a client that uses one of an earlier stream.
func TestRenewedCertificateReplacesTheReportedOne(t *testing.T) {
	c := newConversation(t)
	c.setCertificate("first", 24*time.Hour)
	c.reportCertificate()
	c.expect()
	c.setCertificate("second", 48*time.Hour)
	c.expect("SDS " + envoy.ServiceCertName)
	if got := c.q.deadline(); !got.IsZero() {
		t.Errorf("the replaced certificate is looked at %s, want never", got)
	}
}
