package certificates

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/openservicemesh/osm-operator/internal/certificate"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/operator/observe"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// withDomains returns the active authority with its trust domains. A Secret in OSM's form has none: the control
// planes have the trust domain as a parameter.
func (p *pass) withDomains(active *certificate.Root) *certificate.Root {
	if !active.TrustDomains().IsZero() {
		return active
	}
	domain := p.desired.TrustDomain
	if revision := observe.ActiveRevision(p.revisions); revision != nil {
		domain = revision.Spec.TrustDomain
	}
	return active.In(identity.OneTrustDomain(domain))
}

// inDesiredDomains returns the desired authority in the trust domains that the Mesh and its MeshRootCertificates declare.
func (p *pass) inDesiredDomains(desired *certificate.Root) (*certificate.Root, error) {
	domains := identity.AcceptedTrustDomains(p.issuedDomain, p.acceptedDomains...)
	known := domains.Known
	if p.root != nil {
		known = identity.MergeTrustDomains(known, p.root.TrustDomains().Known)
	}
	for _, domain := range domains.Clients {
		if err := checkTrustDomain(domain, known); err != nil {
			return nil, err
		}
	}
	return desired.In(domains), nil
}

// checkTrustDomain reports why a mesh cannot have a trust domain together with those that it has had.
func checkTrustDomain(domain string, known []string) error {
	other := identity.AmbiguousTrustDomain(domain, known)
	if other == "" {
		return nil
	}
	return fmt.Errorf("the mesh cannot use the trust domains %s and %s: one is a subdomain of the other, so two service accounts could have the same name. Choose another trust domain", domain, other)
}

// domain returns the trust domain of a MeshRootCertificate, by default that of the Mesh.
func (d *declared) domain(ofMesh string) string { return cmp.Or(d.object.Spec.TrustDomain, ofMesh) }

// checkDeclaredDomain reports why the mesh cannot use the trust domain of a MeshRootCertificate.
func (p *pass) checkDeclaredDomain(d *declared) error {
	domain := d.domain(p.desired.TrustDomain)
	if domain != p.desired.TrustDomain && p.desired.DeclaresTrustDomain {
		return fmt.Errorf("its trust domain is %s, and spec.certificates.trustDomain of the Mesh is %s, which takes precedence: remove it there to use this one", domain, p.desired.TrustDomain)
	}
	if p.root == nil {
		return nil
	}
	return checkTrustDomain(domain, p.root.TrustDomains().Known)
}

// declareDomains sets the desired trust domains from the MeshRootCertificates. While one cannot be used, nothing is withdrawn.
func (p *pass) declareDomains(issuing *declared) {
	isIncomplete := issuing == nil
	for i := range p.declared {
		d := &p.declared[i]
		if d.root != nil {
			p.acceptedDomains = append(p.acceptedDomains, d.domain(p.desired.TrustDomain))
		}
		isIncomplete = isIncomplete || d.inUse && d.root == nil
	}
	if p.root != nil && isIncomplete {
		p.acceptedDomains = append(p.acceptedDomains, p.root.TrustDomains().Clients...)
	}
	switch {
	case issuing != nil && issuing.root != nil:
		p.issuedDomain = issuing.domain(p.desired.TrustDomain)
	case p.root != nil:
		p.issuedDomain = p.root.TrustDomains().Issued
	}
}

// memberNameError is the problem with the name of a workload in the mesh.
type memberNameError struct{ account identity.ServiceAccount }

func (e memberNameError) Error() string {
	return fmt.Sprintf("is that of the service account %s in the mesh, so the gateway has no certificate: write the name of a gateway outside the mesh", e.account)
}

// checkGatewayName rejects a name whose certificate would prove the identity of a workload in the mesh, or of its control plane.
func (r *Reconciler) checkGatewayName(ctx context.Context, p *pass, name string) error {
	const field = "spec.certificate.ingressGateway.subjectAltNames of the MeshConfig"
	if problems := validation.IsDNS1123Subdomain(name); len(problems) > 0 {
		return fmt.Errorf("%s: %q is not a DNS name: %s", field, name, problems[0])
	}
	for _, domain := range identity.MergeTrustDomains(p.root.TrustDomains().Known, []string{p.desired.TrustDomain}) {
		if err := r.checkGatewayNameIn(ctx, p, name, domain); err != nil {
			return fmt.Errorf("%s: the name %q %w", field, name, err)
		}
	}
	return nil
}

// checkGatewayNameIn reports why a name is reserved in a trust domain.
func (r *Reconciler) checkGatewayNameIn(ctx context.Context, p *pass, name, domain string) error {
	if !strings.HasSuffix(name, "."+domain) {
		return nil
	}
	account, err := identity.ParsePrincipal(name, domain)
	if err != nil {
		return fmt.Errorf("is reserved for the control plane: write <service account>.<namespace>.%s of the gateway", domain)
	}
	namespace, err := r.Namespace(ctx, account.Namespace)
	if err != nil {
		return err
	}
	if namespace != nil && namespace.Labels[names.MonitoredByLabel] == p.mesh.Name {
		return memberNameError{account}
	}
	return nil
}
