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

func TestParsePrincipalRefusesOthers(t *testing.T) {
	for _, principal := range []string{"", "cluster.local", ".cluster.local", "a.cluster.local", ".a.cluster.local", "a..cluster.local", "a.b.example.com", "a.bcluster.local"} {
		if sa, err := ParsePrincipal(principal, "cluster.local"); err == nil {
			t.Errorf("%q was read as %s", principal, sa)
		}
	}
}
