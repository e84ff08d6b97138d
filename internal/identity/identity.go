package identity

import (
	"cmp"
	"fmt"
	"net/url"
	"strings"
)

// ServiceAccount is a workload identity: every pod that runs as this service account is the same workload to the mesh.
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

// Principal is the DNS name in the workload's certificate, "<name>.<namespace>.<trustDomain>", as OSM forms it.
// A namespace has no dots, so two service accounts of one trust domain never share a principal.
func (sa ServiceAccount) Principal(trustDomain string) string {
	return sa.Name + "." + sa.Namespace + "." + trustDomain
}

// SPIFFE is the URI in the workload's certificate, "spiffe://<trustDomain>/<name>/<namespace>", as OSM's development
// branch forms it.
func (sa ServiceAccount) SPIFFE(trustDomain string) *url.URL {
	return &url.URL{Scheme: "spiffe", Host: trustDomain, Path: "/" + sa.Name + "/" + sa.Namespace}
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
