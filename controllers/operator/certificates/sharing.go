package certificates

import (
	"context"
	"fmt"

	cmmeta "github.com/cert-manager/cert-manager/pkg/apis/meta/v1"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/certificate/certmanager"
)

// observeSharing reports an issuer of the mesh that objects of all namespaces can use, without a policy about who may. Peers trust the root of the
// issuer and know each other by the names in certificates, so whoever gets a certificate of it can have any identity. The operator sees policies of
// approver-policy; whether cert-manager approves all requests by itself is an argument of its program, which the API does not have.
func (r *Reconciler) observeSharing(ctx context.Context, p *pass) error {
	for _, issuer := range p.issuers() {
		if !certmanager.IsShared(issuer) {
			continue
		}
		policies := certmanager.Policies()
		err := r.Live.List(ctx, policies)
		if err == nil && certmanager.HasPolicy(policies, issuer) {
			continue
		}
		p.shared = fmt.Sprintf("whoever may create Certificates or CertificateRequests in any namespace can get a certificate of the %s %s with any identity of the mesh, "+
			"because no CertificateRequestPolicy selects it: use an Issuer in the namespace %s, or install approver-policy with a policy for the issuer", issuer.Kind, issuer.Name, p.desired.Namespace)
		if err != nil && !isNotServed(err) {
			p.shared += fmt.Sprintf("; policies cannot be read: %v", err)
		}
		return nil
	}
	return nil
}

// issuers returns the issuers of cert-manager whose roots peers trust.
func (p *pass) issuers() []cmmeta.IssuerReference {
	var issuers []cmmeta.IssuerReference
	if p.desired.Provider == v1alpha1.ProviderCertManager {
		issuers = append(issuers, issuerReference(p.desired.Issuer))
	}
	for _, d := range p.declared {
		if provider := d.object.Spec.Provider.CertManager; d.inUse && provider != nil {
			issuers = append(issuers, declaredIssuer(*provider))
		}
	}
	return issuers
}
