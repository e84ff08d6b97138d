package snapshot

import (
	"maps"
	"slices"
	"testing"
	"time"

	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"

	"github.com/openservicemesh/osm-operator/internal/snapshot/resource"
)

// TestProxyCertificateExpiry checks the reported expiry before the first ACK, during a rotation and after a reconnect.
func TestProxyCertificateExpiry(t *testing.T) {
	entries := twoServices()
	client, _ := podsOf(entries)
	h := newSyncedHarness(entries...)
	s := newFakeProxy(h, client)
	s.open(t)
	s.flush(t)
	if end := firstProxy(s).CertificateExpiry; !end.IsZero() {
		t.Errorf("before the first ACK the expiry is %s", end)
	}
	s.sync(t)
	first := h.certificates.expiry
	if end := firstProxy(s).CertificateExpiry; !end.Equal(first) {
		t.Errorf("expiry %s, want %s", end, first)
	}
	h.rotate(client.Identity())
	s.flush(t)
	if end := firstProxy(s).CertificateExpiry; !end.Equal(first) {
		t.Errorf("before the ACK of the new certificate the expiry is %s, want %s", end, first)
	}
	s.sync(t)
	second := first.Add(time.Hour)
	if end := firstProxy(s).CertificateExpiry; !end.Equal(second) {
		t.Errorf("expiry of the new certificate %s, want %s", end, second)
	}
	s.close()
	s.open(t)
	s.sync(t)
	if end := firstProxy(s).CertificateExpiry; !end.Equal(second) {
		t.Errorf("expiry after a reconnect %s, want %s", end, second)
	}
	if issuer := firstProxy(s).CertificateIssuer; issuer != h.certificates.generation {
		t.Errorf("issuer after a reconnect %q, want %q", issuer, h.certificates.generation)
	}
}

// A trust bundle is reported only after all scopes have it: what is up to date afterwards has acknowledged it.
func TestTrustIsReportedWhenAllScopesHaveIt(t *testing.T) {
	entries := twoServices()
	client, _ := podsOf(entries)
	h := newSyncedHarness(entries...)
	s := newFakeProxy(h, client)
	s.open(t)
	s.sync(t)
	before := h.store.Trust()
	if string(before.Bundle) != "root 1" {
		t.Fatalf("the trust after the initial sync is %q", before.Bundle)
	}
	h.certificates.root = "root 2"
	h.now = h.now.Add(time.Minute)
	h.store.RootChanged()
	if got := h.store.Trust(); string(got.Bundle) != "root 1" {
		t.Errorf("%q is reported before the scopes have it", got.Bundle)
	}
	h.run()
	s.flush(t)
	if got := h.store.Trust(); string(got.Bundle) != "root 2" || !got.Since.After(before.Since) {
		t.Errorf("the trust of all scopes is reported as %q since %s", got.Bundle, got.Since)
	}
	if firstProxy(s).IsUpToDate() {
		t.Error("the proxy is up to date before it acknowledged the new trust")
	}
	s.sync(t)
	if !firstProxy(s).IsUpToDate() {
		t.Error("the proxy is not up to date after it acknowledged the new trust")
	}
}

// A proxy uses certificates while it subscribes to secrets. One that has unsubscribed from all has no certificate any more.
func TestProxyWithoutSecretsUsesNoCertificates(t *testing.T) {
	entries := twoServices()
	client, _ := podsOf(entries)
	h := newSyncedHarness(entries...)
	s := newFakeProxy(h, client)
	s.open(t)
	if firstProxy(s).UsesCertificates {
		t.Error("a proxy uses certificates before its first request")
	}
	s.sync(t)
	if p := firstProxy(s); !p.UsesCertificates || p.CertificateIssuer == "" {
		t.Errorf("after the sync it uses certificates: %t, of %q", p.UsesCertificates, p.CertificateIssuer)
	}
	held := slices.Sorted(maps.Keys(s.session.SentVersions(resource.Secrets)))
	if err := s.session.Handle(&discovery.DeltaDiscoveryRequest{TypeUrl: resource.Secrets.URL(), ResourceNamesUnsubscribe: held}); err != nil {
		t.Fatal(err)
	}
	if p := firstProxy(s); p.UsesCertificates || p.CertificateIssuer != "" || !p.CertificateExpiry.IsZero() {
		t.Errorf("after it has unsubscribed from %v: %+v", held, p)
	}
}
