package snapshot

import (
	"errors"
	"maps"
	"slices"
	"testing"
	"time"

	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/resourcetype"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
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
	held := slices.Sorted(maps.Keys(s.session.SentVersions(resourcetype.Secrets)))
	if err := s.session.Handle(&discovery.DeltaDiscoveryRequest{TypeUrl: resourcetype.Secrets.URL(), ResourceNamesUnsubscribe: held}); err != nil {
		t.Fatal(err)
	}
	if p := firstProxy(s); p.UsesCertificates || p.CertificateIssuer != "" || !p.CertificateExpiry.IsZero() {
		t.Errorf("after it has unsubscribed from %v: %+v", held, p)
	}
}

// A proxy awaits its certificate until one is sent. One that reconnects has that of its earlier stream, also while no other is issued.
func TestProxyAwaitsItsCertificate(t *testing.T) {
	entries := twoServices()
	client, _ := podsOf(entries)
	h := newHarness()
	h.certificates.away = errors.New("the issuer is away")
	h.store.MarkSynced()
	h.apply(entries...)
	s := newFakeProxy(h, client)
	s.open(t)
	s.sync(t)
	if p := firstProxy(s); !p.UsesCertificates || !p.AwaitsCertificate || p.IsUpToDate() {
		t.Errorf("without an issuer: %+v", p)
	}
	h.certificates.away = nil
	h.fireTimers()
	s.flush(t)
	if firstProxy(s).AwaitsCertificate {
		t.Error("the proxy awaits a certificate that was sent")
	}
	s.sync(t)
	s.close()
	h.certificates.away = errors.New("the issuer is away again")
	s.open(t)
	s.sync(t)
	if p := firstProxy(s); !p.UsesCertificates || p.AwaitsCertificate {
		t.Errorf("after it has reconnected: %+v", p)
	}
}

// New trust domains are reported after all scopes accept them, with and without shared destinations.
func TestTrustDomainsAreReportedWhenAllScopesAcceptThem(t *testing.T) {
	for name, permissive := range map[string]bool{"own destinations": false, "shared destinations": true} {
		t.Run(name, func(t *testing.T) {
			entries := append(twoServices(), &catalog.Settings{Permissive: permissive})
			client, _ := podsOf(entries)
			h := newSyncedHarness(entries...)
			s := newFakeProxy(h, client)
			s.open(t)
			s.sync(t)
			if got := firstProxy(s).CertificateTrustDomain; got != trustDomain {
				t.Errorf("the certificate is in the trust domain %q, want %q", got, trustDomain)
			}
			if len(h.store.shared.list) > 0 != permissive {
				t.Fatalf("the scopes have %d sets of shared destinations", len(h.store.shared.list))
			}
			domains := identity.AcceptedTrustDomains(trustDomain, "new.test")
			h.certificates.domains = domains
			h.store.RootChanged()
			if h.store.Trust().TrustDomains.Equal(domains) {
				t.Error("the trust domains are reported before the scopes accept them")
			}
			h.run()
			s.flush(t)
			if !h.store.Trust().TrustDomains.Equal(domains) || firstProxy(s).IsUpToDate() {
				t.Errorf("reported %+v, and the proxy has confirmed it: %t", h.store.Trust().TrustDomains, firstProxy(s).IsUpToDate())
			}
			h.checkTrustDomains(t, domains)
			s.sync(t)
			if !firstProxy(s).IsUpToDate() {
				t.Error("the proxy is not up to date after it has acknowledged the trust domains")
			}
		})
	}
}

// checkTrustDomains checks that all scopes and shared destinations accept trust domains.
func (h *harness) checkTrustDomains(t *testing.T, domains identity.TrustDomains) {
	t.Helper()
	for _, n := range h.store.scopes {
		if built := h.scopeOf(n); !slices.Equal(built.ClientTrustDomains, domains.Clients) || !slices.Equal(built.ServerTrustDomains, domains.Servers) {
			t.Errorf("the scope of %v accepts %v and %v", n.key.Identity, built.ClientTrustDomains, built.ServerTrustDomains)
		}
	}
	for _, d := range h.store.shared.list {
		if len(d.current.Outbound) == 0 {
			t.Error("the shared destinations have no destination")
		}
		if !slices.Equal(d.current.ServerTrustDomains, domains.Servers) {
			t.Errorf("the shared destinations accept %v", d.current.ServerTrustDomains)
		}
	}
}
