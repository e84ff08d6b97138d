package certificates

import (
	"cmp"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/certificate"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
)

// summarize describes the certificates that exist after a reconciliation.
func (s *scope) summarize() *v1alpha1.CertificatesStatus {
	summary := &v1alpha1.CertificatesStatus{Issuer: summaryOf(s.root.DescribeIssuer()), Root: s.root.Anchor(), TrustDomain: s.root.TrustDomains().Issued}
	if accepted := s.root.TrustDomains(); len(accepted.Clients) > 1 || len(accepted.Servers) > 1 {
		summary.AcceptedTrustDomains = identity.MergeTrustDomains(accepted.Clients, accepted.Servers)
	}
	for _, trusted := range s.root.DescribeTrusted() {
		summary.Roots = append(summary.Roots, summaryOf(trusted))
	}
	if issuer := s.root.ExternalIssuer(); issuer != nil {
		summary.WorkloadIssuer = issuer.Kind + " " + issuer.Name
	}
	for secret, end := range s.serving {
		summary.Webhooks = append(summary.Webhooks, v1alpha1.WebhookCertificate{Secret: secret, NotAfter: secondsOf(end)})
	}
	slices.SortFunc(summary.Webhooks, func(a, b v1alpha1.WebhookCertificate) int { return cmp.Compare(a.Secret, b.Secret) })
	if s.gateway != nil {
		summary.IngressGateway = s.gateway.summary
	}
	if s.rotation != nil {
		summary.Blockers = s.rotation.Summary(v1alpha1.MaxBlockers - 1)
	}
	return summary
}

func summaryOf(d certificate.Description) v1alpha1.CertificateSummary {
	return v1alpha1.CertificateSummary{Fingerprint: d.Fingerprint, Subject: d.Subject, NotAfter: secondsOf(d.NotAfter)}
}

// secondsOf converts a time to the resolution of the API.
func secondsOf(t time.Time) metav1.Time { return metav1.NewTime(t.UTC().Truncate(time.Second)) }
