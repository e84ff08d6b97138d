package certificates

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/certificate"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
)

// summarize describes the certificates that exist after a reconciliation.
func (p *pass) summarize() *v1alpha1.CertificatesStatus {
	summary := &v1alpha1.CertificatesStatus{Issuer: summaryOf(p.root.DescribeIssuer()), Root: p.root.Anchor(), TrustDomain: p.root.TrustDomains().Issued}
	if accepted := p.root.TrustDomains(); len(accepted.Clients) > 1 || len(accepted.Servers) > 1 {
		summary.AcceptedTrustDomains = identity.MergeTrustDomains(accepted.Clients, accepted.Servers)
	}
	for _, trusted := range p.root.DescribeTrusted() {
		summary.Roots = append(summary.Roots, summaryOf(trusted))
	}
	if issuer := p.root.ExternalIssuer(); issuer != nil {
		summary.WorkloadIssuer = issuer.Kind + " " + issuer.Name
	}
	for secret, end := range p.serving {
		summary.Webhooks = append(summary.Webhooks, v1alpha1.WebhookCertificate{Secret: secret, NotAfter: secondsOf(end)})
	}
	slices.SortFunc(summary.Webhooks, func(a, b v1alpha1.WebhookCertificate) int { return cmp.Compare(a.Secret, b.Secret) })
	if p.gateway != nil {
		summary.IngressGateway = p.gateway.summary
	}
	if p.rotation != nil {
		summary.Blockers = p.rotation.Summary(v1alpha1.MaxBlockers - 1)
	}
	return summary
}

func summaryOf(d certificate.Description) v1alpha1.CertificateSummary {
	return v1alpha1.CertificateSummary{Fingerprint: d.Fingerprint, Subject: d.Subject, NotAfter: secondsOf(d.NotAfter)}
}

// secondsOf converts a time to the resolution of the API.
func secondsOf(t time.Time) metav1.Time { return metav1.NewTime(t.UTC().Truncate(time.Second)) }

// expiryNotice is how long before its end the condition names an authority, as the alert OSMRootCertificateExpiring does.
const expiryNotice = 30 * 24 * time.Hour

// noteExpiry notes an authority that ends soon and is not replaced by itself.
func (p *pass) noteExpiry(now time.Time) {
	first, notice := firstEnd(p.root)
	until := first.NotAfter.Add(-notice).Sub(now)
	if until > 0 {
		p.RequeueAfter(until)
		return
	}
	if left := first.NotAfter.Sub(now); left > 0 {
		p.RequeueAfter(left) // it becomes a problem
	}
	p.notes = append(p.notes, fmt.Sprintf("the certificate authority %s (%s) expires at %s, and all calls with mTLS fail then: %s",
		first.Fingerprint, first.Subject, first.NotAfter.UTC().Format(time.RFC3339), p.expiryRemedy()))
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
func (p *pass) expiryRemedy() string {
	switch {
	case p.rotation != nil:
		return "the mesh is moving to another one, see the condition " + v1alpha1.ConditionRotatingAuthority
	case hasInUse(p.declared):
		return "create another MeshRootCertificate"
	case p.delegation != nil:
		return "its issuer should have replaced it, see the condition " + v1alpha1.ConditionCertificatesDelegated
	}
	return "set spec.certificates.rotateRoot of the Mesh to another value"
}
