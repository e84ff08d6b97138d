package identity

import (
	"testing"

	"pgregory.net/rapid"
)

func TestPrincipalRoundTrip(t *testing.T) {
	label := rapid.StringMatching(`[a-z0-9]([-a-z0-9]{0,20}[a-z0-9])?`)
	name := rapid.StringMatching(`[a-z0-9]([-a-z0-9]{0,10}[a-z0-9])?([.][a-z0-9]([-a-z0-9]{0,10}[a-z0-9])?){0,3}`)
	rapid.Check(t, func(t *rapid.T) {
		sa := ServiceAccount{Namespace: label.Draw(t, "namespace"), Name: name.Draw(t, "name")}
		trustDomain := name.Draw(t, "trust domain")
		got, err := ParsePrincipal(sa.Principal(trustDomain), trustDomain)
		if err != nil || got != sa {
			t.Fatalf("%s became %s: %v", sa, got, err)
		}
	})
}

func TestSPIFFE(t *testing.T) {
	id, err := ServiceAccount{Namespace: "shop", Name: "cert-manager.io"}.SPIFFE("mesh.test")
	if err != nil || id.String() != "spiffe://mesh.test/cert-manager.io/shop" {
		t.Errorf("SPIFFE ID is %s: %v", id, err)
	}
	for _, trustDomain := range []string{"", "Mesh.Test", "a/b"} {
		if id, err := (ServiceAccount{Namespace: "shop", Name: "web"}).SPIFFE(trustDomain); err == nil {
			t.Errorf("trust domain %q gave %s", trustDomain, id)
		}
	}
}

func TestParsePrincipalRejectsOthers(t *testing.T) {
	for _, principal := range []string{"", "cluster.local", ".cluster.local", "a.cluster.local", ".a.cluster.local", "a..cluster.local", "a.b.example.com", "a.bcluster.local"} {
		if sa, err := ParsePrincipal(principal, "cluster.local"); err == nil {
			t.Errorf("%q was read as %s", principal, sa)
		}
	}
}
