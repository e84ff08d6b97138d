package certificates

import (
	"cmp"
	"fmt"

	"github.com/openservicemesh/osm-operator/internal/certificate"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/operator/observe"
)

// withDomains returns the active authority with its trust domains. A Secret in OSM's form has none: the control
// planes have the trust domain as a parameter.
func (s *scope) withDomains(active *certificate.Root) *certificate.Root {
	if !active.TrustDomains().IsZero() {
		return active
	}
	domain := s.desired.TrustDomain
	if revision := observe.ActiveRevision(s.revisions); revision != nil {
		domain = revision.Spec.TrustDomain
	}
	return active.In(identity.OneTrustDomain(domain))
}

// inDesiredDomains returns the desired authority in the trust domains that the Mesh and its MeshRootCertificates declare.
func (s *scope) inDesiredDomains(desired *certificate.Root) (*certificate.Root, error) {
	domains := identity.AcceptedTrustDomains(s.issuedDomain, s.acceptedDomains...)
	known := domains.Known
	if s.root != nil {
		known = identity.MergeTrustDomains(known, s.root.TrustDomains().Known)
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
func (s *scope) checkDeclaredDomain(d *declared) error {
	domain := d.domain(s.desired.TrustDomain)
	if domain != s.desired.TrustDomain && s.desired.DeclaresTrustDomain {
		return fmt.Errorf("its trust domain is %s, and spec.certificates.trustDomain of the Mesh is %s, which takes precedence: remove it there to use this one", domain, s.desired.TrustDomain)
	}
	if s.root == nil {
		return nil
	}
	return checkTrustDomain(domain, s.root.TrustDomains().Known)
}

// declareDomains sets the desired trust domains from the MeshRootCertificates. While one cannot be used, nothing is withdrawn.
func (s *scope) declareDomains(issuing *declared) {
	isIncomplete := issuing == nil
	for i := range s.declared {
		d := &s.declared[i]
		if d.root != nil {
			s.acceptedDomains = append(s.acceptedDomains, d.domain(s.desired.TrustDomain))
		}
		isIncomplete = isIncomplete || d.inUse && d.root == nil
	}
	if s.root != nil && isIncomplete {
		s.acceptedDomains = append(s.acceptedDomains, s.root.TrustDomains().Clients...)
	}
	switch {
	case issuing != nil && issuing.root != nil:
		s.issuedDomain = issuing.domain(s.desired.TrustDomain)
	case s.root != nil:
		s.issuedDomain = s.root.TrustDomains().Issued
	}
}
