package scope

import (
	"slices"
	"strings"

	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
)

// SetTrustDomains sets the trust domains of the mesh.
func (s *Scope) SetTrustDomains(domains identity.TrustDomains) {
	s.TrustDomain = domains.Issued
	s.ClientTrustDomains, s.ServerTrustDomains, s.KnownTrustDomains = several(domains.Clients), several(domains.Servers), several(domains.Known)
}

// several returns a list unless it has only one trust domain, which is that of the mesh.
func several(domains []string) []string {
	if len(domains) > 1 {
		return domains
	}
	return nil
}

// AcceptedClientDomains returns the trust domains that are accepted from clients.
func (s *Scope) AcceptedClientDomains() []string { return orOne(s.ClientTrustDomains, s.TrustDomain) }

// AcceptedServerDomains returns the trust domains that are accepted of servers.
func (s *Scope) AcceptedServerDomains() []string { return orOne(s.ServerTrustDomains, s.TrustDomain) }

func orOne(list []string, one string) []string {
	if len(list) > 0 {
		return list
	}
	return []string{one}
}

// AcceptedPrincipals returns a name in a client certificate. If it names a workload in a trust domain that the mesh has had, the names of that
// workload in the accepted trust domains follow: an IngressBackend that admits a workload continues to admit it after the mesh has moved.
func (s *Scope) AcceptedPrincipals(name string) []string {
	accepted := []string{name}
	for _, domain := range s.KnownTrustDomains {
		for _, other := range s.renamed(name, domain) {
			if !slices.Contains(accepted, other) {
				accepted = append(accepted, other)
			}
		}
	}
	return accepted
}

// renamed returns the names in the accepted trust domains of a workload with a DNS name or a SPIFFE ID in a trust domain; nothing if the name
// is not in it.
func (s *Scope) renamed(name, domain string) []string {
	if account, err := identity.ParsePrincipal(name, domain); err == nil {
		return account.Principals(s.AcceptedClientDomains())
	}
	path, isSPIFFE := strings.CutPrefix(name, "spiffe://"+domain+"/")
	if !isSPIFFE {
		return nil
	}
	var names []string
	for _, other := range s.AcceptedClientDomains() {
		names = append(names, "spiffe://"+other+"/"+path)
	}
	return names
}
