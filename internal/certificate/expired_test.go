package certificate

import (
	"crypto/x509"
	"testing"
	"time"
)

// No peer validates a chain with an expired root, so a rotation away from it must not wait for proofs of sidecars that cannot connect. A clock
// that was set back is no reason to rotate without proof.
func TestAuthorityExpiresWithItsRoot(t *testing.T) {
	corporate := newCorporateRoot(t)
	issuing, key := intermediate(t, corporate)
	decoded, err := Decode(map[string][]byte{TrustKey: corporate.CertPEM(), ChainKey: encodeCertificates(issuing), SignerKey: key})
	if err != nil {
		t.Fatal(err)
	}
	ends := func(c *x509.Certificate, end time.Time) *x509.Certificate {
		changed := *c
		changed.NotAfter = end
		return &changed
	}
	now := time.Now()
	past, future := now.Add(-time.Minute), now.Add(time.Hour)
	for name, c := range map[string]struct {
		issuing, root time.Time
		other         *time.Time
		now           time.Time
		want          bool
	}{
		"both are valid":                     {issuing: future, root: future, now: now},
		"the issuing certificate expired":    {issuing: past, root: future, now: now, want: true},
		"the root expired":                   {issuing: future, root: past, now: now, want: true},
		"another root of its key is valid":   {issuing: future, root: past, other: &future, now: now},
		"a clock is set back":                {issuing: future, root: future, now: now.Add(-48 * time.Hour)},
		"the moment of the expiry of a root": {issuing: future, root: now, now: now, want: true},
	} {
		authority := *decoded
		authority.issuing = ends(decoded.issuing, c.issuing)
		authority.chain = []*x509.Certificate{authority.issuing}
		authority.trusted = []*x509.Certificate{ends(corporate.issuing, c.root)}
		if c.other != nil {
			authority.trusted = append(authority.trusted, ends(corporate.issuing, *c.other))
		}
		if got := authority.Expired(c.now); got != c.want {
			t.Errorf("%s: expired is %t", name, got)
		}
	}
}
