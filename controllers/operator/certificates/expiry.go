package certificates

import (
	"fmt"
	"time"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/certificate"
)

// expiryNotice is how long before its end the condition names an authority, as the alert OSMRootCertificateExpiring does.
const expiryNotice = 30 * 24 * time.Hour

// noteExpiry notes an authority that ends soon and is not replaced by itself.
func (s *scope) noteExpiry(now time.Time) {
	first, notice := firstEnd(s.root)
	until := first.NotAfter.Add(-notice).Sub(now)
	if until > 0 {
		s.renewAfter(until)
		return
	}
	if left := first.NotAfter.Sub(now); left > 0 {
		s.renewAfter(left) // it becomes a problem
	}
	s.notes = append(s.notes, fmt.Sprintf("the certificate authority %s (%s) expires at %s, and all calls with mTLS fail then: %s",
		first.Fingerprint, first.Subject, first.NotAfter.UTC().Format(time.RFC3339), s.expiryRemedy()))
}

// firstEnd returns the issuing certificate or its root, whichever ends first, and how long before its end it should have been replaced. Issuers replace
// an authority at two thirds of its lifetime, so a short-lived one is late at five sixths.
func firstEnd(root *certificate.Root) (certificate.Description, time.Duration) {
	issuer := root.DescribeIssuer()
	for _, trusted := range root.DescribeTrusted() {
		if trusted.Fingerprint == root.Anchor() && trusted.NotAfter.Before(issuer.NotAfter) {
			return trusted, expiryNotice
		}
	}
	return issuer, min(expiryNotice, root.NotAfter().Sub(root.RenewalTime())/2)
}

// expiryRemedy is what to do about an authority that ends.
func (s *scope) expiryRemedy() string {
	switch {
	case s.rotation != nil:
		return "the mesh is moving to another one, see the condition " + v1alpha1.ConditionRotatingAuthority
	case hasInUse(s.declared):
		return "create another MeshRootCertificate"
	case s.delegation != nil:
		return "its issuer should have replaced it, see the condition " + v1alpha1.ConditionCertificatesDelegated
	}
	return "set spec.certificates.rotateRoot of the Mesh to another value"
}
