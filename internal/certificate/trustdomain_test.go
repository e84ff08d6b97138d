package certificate

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
)

func TestAuthorityKeepsItsTrustDomains(t *testing.T) {
	want := identity.AcceptedTrustDomains("new.example", "old.example")
	content, err := newRoot(t, KeySpec{}).In(want).Encode()
	if err != nil {
		t.Fatal(err)
	}
	root, err := Decode(content)
	if err != nil || !root.TrustDomains().Equal(want) {
		t.Errorf("got %+v, %v", root.TrustDomains(), err)
	}
	if again := root.Trusting(root.Trusted()); !again.TrustDomains().Equal(want) {
		t.Errorf("another trust bundle has the trust domains %+v", again.TrustDomains())
	}
	content[DomainsKey] = []byte("{")
	if _, err := Decode(content); err == nil {
		t.Error("damaged trust domains were decoded")
	}
}

func TestSetRoot_AnotherTrustDomainRenewsAllCertificates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := startManager(t, time.Hour, true)
		root := newRoot(t, KeySpec{})
		m.SetRoot(root)
		synctest.Wait()
		m.certificate(t)
		before := m.rotations.Load()
		m.SetRoot(root.In(identity.AcceptedTrustDomains(trustDomain, "new.example")))
		synctest.Wait()
		if m.rotations.Load() != before {
			t.Error("certificates are renewed when another trust domain is only accepted")
		}
		if got := m.TrustDomains().Clients; !slices.Equal(got, []string{trustDomain, "new.example"}) {
			t.Errorf("accepted trust domains: %v", got)
		}
		m.SetRoot(root.In(identity.AcceptedTrustDomains("new.example", trustDomain)))
		synctest.Wait()
		leaf := m.certificate(t)
		if got := parse(t, leaf.ChainPEM).DNSNames; leaf.TrustDomain != "new.example" || !slices.Equal(got, []string{bookbuyer.Principal("new.example")}) {
			t.Errorf("after the change of the trust domain the certificate is for %v, in %s", got, leaf.TrustDomain)
		}
	})
}

// Sidecars that were injected before a change of the trust domain, and those that are injected afterwards, both accept the server.
func TestServerCertificate_RenewsForAnotherName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := startManager(t, time.Hour, true)
		serverNames := []string{"ads.cluster.local"}
		s := NewRenamedServerCertificate(m, time.Now, func() []string { return serverNames })
		handshake(t, s, m.Root())
		serverNames = []string{"ads.cluster.local", "ads.new.example"}
		if got := handshake(t, s, m.Root()).DNSNames; !slices.Equal(got, serverNames) {
			t.Errorf("the certificate has the names %v, want %v", got, serverNames)
		}
	})
}
