package osmproxy

import (
	"crypto/x509"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
)

// Identity is what a certificate says. Whether a pod with it exists is not known.
type Identity struct {
	// UUID is the value of the label osm-proxy-uuid of the pod.
	UUID           string
	ServiceAccount identity.ServiceAccount
	// Expiry is when the certificate expires.
	Expiry time.Time
}

// Roots are what a certificate is verified with.
type Roots struct {
	// PEM is the trust bundle of the mesh.
	PEM []byte
	// TrustDomain is that of the names in certificates.
	TrustDomain string
	Now         time.Time
}

// minLifetime distinguishes certificates of bootstraps, which Open Service Mesh issues for ten years, from those of workloads, which are short-lived.
const minLifetime = 365 * 24 * time.Hour

// infix separates the UUID from the principal of the workload.
const infix = ".sidecar."

// labels are the lower-case labels of a DNS name.
var (
	uuidPattern      = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)
	accountPattern   = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$`)
	namespacePattern = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]*[a-z0-9])?$`)
)

// Verify returns the identity in a certificate of the mesh. It uses no intermediate certificates, which Open Service Mesh does not issue and which a
// client could choose.
func Verify(certificate *x509.Certificate, roots Roots) (Identity, error) {
	name := certificate.Subject.CommonName
	found, err := Parse(name, roots.TrustDomain)
	if err != nil {
		return Identity{}, err
	}
	// Certificates of workloads have the same issuer. The name of a service account may look like that of a bootstrap.
	switch {
	case len(certificate.DNSNames) != 1 || certificate.DNSNames[0] != name:
		return Identity{}, errors.New("the DNS names of the client certificate are not its common name")
	case len(certificate.URIs)+len(certificate.IPAddresses)+len(certificate.EmailAddresses) > 0:
		return Identity{}, errors.New("the client certificate is that of a workload: it has names that are not of DNS")
	case certificate.IsCA:
		return Identity{}, errors.New("the client certificate is that of an authority")
	case certificate.NotAfter.Sub(certificate.NotBefore) < minLifetime:
		return Identity{}, errors.New("the client certificate is that of a workload: it is not valid for a year")
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(roots.PEM) {
		return Identity{}, errors.New("the trust bundle of the mesh has no certificate")
	}
	if _, err := certificate.Verify(x509.VerifyOptions{
		Roots: pool, CurrentTime: roots.Now,
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}); err != nil {
		return Identity{}, fmt.Errorf("the client certificate is not valid: %w", err)
	}
	found.Expiry = certificate.NotAfter
	return found, nil
}

// Parse reads "<UUID>.sidecar.<service account>.<namespace>.<trust domain>". The name of a service account may contain dots, and that of a namespace may not: the
// namespace is the last label before the trust domain, so nobody can name one other than that of their account.
func Parse(name, trustDomain string) (Identity, error) {
	uuid, principal, found := strings.Cut(name, infix)
	if !found || !uuidPattern.MatchString(uuid) {
		return Identity{}, errors.New("the client certificate is not that of a sidecar of Open Service Mesh")
	}
	account, err := identity.ParsePrincipal(principal, trustDomain)
	if err != nil {
		return Identity{}, fmt.Errorf("the client certificate has another trust domain: %w", err)
	}
	if !accountPattern.MatchString(account.Name) || !namespacePattern.MatchString(account.Namespace) {
		return Identity{}, errors.New("the client certificate has an invalid service account or namespace")
	}
	return Identity{UUID: uuid, ServiceAccount: account}, nil
}

// AmbiguousAccount is the service account whose principal equals the name in the certificate of a sidecar.
func (i Identity) AmbiguousAccount() identity.ServiceAccount {
	return identity.ServiceAccount{Namespace: i.ServiceAccount.Namespace, Name: i.UUID + infix + i.ServiceAccount.Name}
}
