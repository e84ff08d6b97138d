package identity

import (
	"cmp"
	"fmt"
	"net/url"
	"strings"

	"github.com/spiffe/go-spiffe/v2/spiffeid"
)

// ServiceAccount is a workload identity. All pods with this service account are the same workload.
type ServiceAccount struct {
	Namespace string
	Name      string
}

// String is "<namespace>/<name>".
func (sa ServiceAccount) String() string { return sa.Namespace + "/" + sa.Name }

// Compare orders by namespace, then name.
func (sa ServiceAccount) Compare(other ServiceAccount) int {
	return cmp.Or(cmp.Compare(sa.Namespace, other.Namespace), cmp.Compare(sa.Name, other.Name))
}

// Principal is the DNS name in the workload's certificate, "<name>.<namespace>.<trustDomain>", as in OSM. A namespace
// has no dots, so two service accounts of a trust domain never share a principal.
func (sa ServiceAccount) Principal(trustDomain string) string {
	return sa.Name + "." + sa.Namespace + "." + trustDomain
}

// SPIFFE is the URI in the workload's certificate, "spiffe://<trustDomain>/<name>/<namespace>", as on OSM's development
// branch. It fails when the trust domain or a name has characters that the SPIFFE specification does not allow.
func (sa ServiceAccount) SPIFFE(trustDomain string) (*url.URL, error) {
	td, err := spiffeid.TrustDomainFromString(trustDomain)
	if err != nil {
		return nil, fmt.Errorf("trust domain %q: %w", trustDomain, err)
	}
	id, err := spiffeid.FromSegments(td, sa.Name, sa.Namespace)
	if err != nil {
		return nil, fmt.Errorf("SPIFFE ID of service account %s: %w", sa, err)
	}
	return id.URL(), nil
}

// ParsePrincipal is the inverse of Principal.
func ParsePrincipal(principal, trustDomain string) (ServiceAccount, error) {
	rest, ok := strings.CutSuffix(principal, "."+trustDomain)
	dot := strings.LastIndexByte(rest, '.')
	if !ok || dot <= 0 || dot == len(rest)-1 {
		return ServiceAccount{}, fmt.Errorf("principal %q is not of the form <service account>.<namespace>.%s", principal, trustDomain)
	}
	return ServiceAccount{Namespace: rest[dot+1:], Name: rest[:dot]}, nil
}
