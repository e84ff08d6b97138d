package certificates

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/openservicemesh/osm-operator/internal/certificate"
	"github.com/openservicemesh/osm-operator/internal/certificate/certmanager"
	"github.com/openservicemesh/osm-operator/internal/testing/pki"
)

// TestExpiringAuthorityIsNoted has an authority that ends within days. The condition has what to do about it, and the mesh is reconciled at its end.
func TestExpiringAuthorityIsNoted(t *testing.T) {
	const day = 24 * time.Hour
	endingIn := func(left time.Duration) *certificate.Root {
		root, err := certificate.NewRoot(certificate.KeySpec{}, time.Now().Add(left-3650*day))
		if err != nil {
			t.Fatal(err)
		}
		return root
	}
	issued, err := certmanager.Authority(&corev1.Secret{Data: pki.NewCorporate(t).Intermediate(t)}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		root       *certificate.Root
		after      time.Duration
		delegation *delegation
		want       string
		next       time.Duration
	}{
		"for years":                  {root: endingIn(400 * day), next: 370 * day},
		"within days":                {root: endingIn(20 * day), want: "set spec.certificates.rotateRoot of the Mesh", next: 20 * day},
		"of an issuer, when renewed": {root: issued, after: 62 * day, delegation: &delegation{}, next: 13 * day},
		"of an issuer, late":         {root: issued, after: 80 * day, delegation: &delegation{}, want: "see the condition CertificatesDelegated", next: 10 * day},
	} {
		t.Run(name, func(t *testing.T) {
			p := passOf(test.root)
			p.delegation = test.delegation
			p.noteExpiry(time.Now().Add(test.after))
			if text := strings.Join(p.notes, "; "); !strings.Contains(text, test.want) || (text == "") != (test.want == "") {
				t.Errorf("the notes are %q, want %q", text, test.want)
			}
			if late := p.Requeue - test.next; late < -time.Hour || late > time.Hour {
				t.Errorf("the next reconciliation is in %s, want %s", p.Requeue, test.next)
			}
		})
	}
}
