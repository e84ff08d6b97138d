package identity

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/spiffe/go-spiffe/v2/spiffeid"

	"github.com/openservicemesh/osm-operator/internal/platform/lists"
)

// ServiceAccount is a workload identity. All pods with this service account are the same workload.
type ServiceAccount struct {
	Namespace string
	Name      string
}

// String is "<namespace>/<name>".
func (sa ServiceAccount) String() string { return sa.Namespace + "/" + sa.Name }

// Len is the length of the namespace and the name in bytes.
func (sa ServiceAccount) Len() int { return len(sa.Namespace) + len(sa.Name) }

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

// TrustDomains are the trust domains of a mesh. While the mesh moves from one to another, it accepts both. All lists are sorted and
// include Issued.
type TrustDomains struct {
	// Issued is the trust domain of certificates that are issued from now on.
	Issued string `json:"issued"`
	// Clients are the trust domains that servers accept from clients, and Servers those that clients accept from servers.
	Clients []string `json:"clients"`
	Servers []string `json:"servers"`
	// Known are all trust domains that the mesh has had. A running sidecar verifies the control plane with that of its injection, so none is
	// removed.
	Known []string `json:"known"`
}

// OneTrustDomain returns the trust domains of a mesh that moves to no other one.
func OneTrustDomain(domain string) TrustDomains {
	return AcceptedTrustDomains(domain, domain)
}

// AcceptedTrustDomains returns trust domains of which one is issued and all are accepted.
func AcceptedTrustDomains(issued string, accepted ...string) TrustDomains {
	all := MergeTrustDomains([]string{issued}, accepted)
	return TrustDomains{Issued: issued, Clients: all, Servers: all, Known: all}
}

// MergeTrustDomains returns the trust domains of both lists, sorted, each once.
func MergeTrustDomains(a, b []string) []string {
	return slices.Compact(slices.Sorted(slices.Values(slices.Concat(a, b))))
}

// IsZero reports whether the trust domains are not set.
func (d TrustDomains) IsZero() bool { return d.Issued == "" }

// Equal reports whether two values are the same.
func (d TrustDomains) Equal(other TrustDomains) bool {
	return d.Issued == other.Issued && slices.Equal(d.Clients, other.Clients) && slices.Equal(d.Servers, other.Servers) &&
		slices.Equal(d.Known, other.Known)
}

// Encode returns the text that DecodeTrustDomains reads.
func (d TrustDomains) Encode() ([]byte, error) { return json.Marshal(d) }

// DecodeTrustDomains parses trust domains.
func DecodeTrustDomains(text []byte) (TrustDomains, error) {
	var d TrustDomains
	if err := json.Unmarshal(text, &d); err != nil {
		return TrustDomains{}, fmt.Errorf("the trust domains cannot be read: %w", err)
	}
	for _, domain := range slices.Concat(d.Clients, d.Servers, d.Known, []string{d.Issued}) {
		if _, err := spiffeid.TrustDomainFromString(domain); err != nil {
			return TrustDomains{}, fmt.Errorf("trust domain %q: %w", domain, err)
		}
	}
	for _, list := range []*[]string{&d.Clients, &d.Servers, &d.Known} {
		*list = MergeTrustDomains(*list, []string{d.Issued})
	}
	return d, nil
}

// AmbiguousTrustDomain returns an accepted trust domain that cannot be accepted together with another one, because one is a subdomain of the
// other; empty if there is none. With both a.example and b.a.example, two service accounts could have the same principal, because the name
// of a service account may contain dots.
func AmbiguousTrustDomain(domain string, accepted []string) string {
	for _, other := range accepted {
		if strings.HasSuffix(domain, "."+other) || strings.HasSuffix(other, "."+domain) {
			return other
		}
	}
	return ""
}

// Principals returns the principals of a service account in several trust domains, in their order.
func (sa ServiceAccount) Principals(trustDomains []string) []string {
	return lists.Map(trustDomains, sa.Principal)
}
