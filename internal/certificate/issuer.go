package certificate

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"net/url"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
)

// maxCommonName is the limit of X.509 (ub-common-name). Longer names appear in the DNS SAN only.
const maxCommonName = 64

// Certificate is a leaf certificate with its private key. Its bytes are shared and must not be modified.
type Certificate struct {
	// ChainPEM is the certificate, followed by the intermediate certificates that a peer needs.
	ChainPEM []byte
	// KeyPEM is the private key in PKCS #8 form.
	KeyPEM []byte
	// NotAfter is the expiry of the certificate.
	NotAfter time.Time
	// Generation is the generation of the root that issued it.
	Generation string
	// TrustDomain is the trust domain of the workload; empty for servers and other clients.
	TrustDomain string
}

// Issuer signs certificates with a root. It is immutable and safe for concurrent use.
type Issuer struct {
	root *Root
	key  KeySpec
	now  func() time.Time
	// intermediates are appended to each certificate in its chain.
	intermediates []byte
}

// NewIssuer returns an issuer that generates a new key of the given kind for each certificate. now is the clock.
func NewIssuer(root *Root, key KeySpec, now func() time.Time) *Issuer {
	return &Issuer{root: root, key: key, now: now, intermediates: encodeCertificates(root.chain...)}
}

// Workload issues the certificate of a workload identity, for clients and servers. It expires with the root at the latest.
// The principal is the DNS name, and the common name if it fits; the SPIFFE ID is the URI.
func (i *Issuer) Workload(sa identity.ServiceAccount, trustDomain string, lifetime time.Duration) (Certificate, error) {
	spiffeID, err := sa.SPIFFE(trustDomain)
	if err != nil {
		return Certificate{}, err
	}
	leaf, err := i.sign(&x509.Certificate{
		DNSNames:    []string{sa.Principal(trustDomain)},
		URIs:        []*url.URL{spiffeID},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
	}, lifetime)
	leaf.TrustDomain = trustDomain
	return leaf, err
}

// Server issues a certificate for a server of the control plane, for example ads.<trust domain> or
// osm-validator.<namespace>.svc. It requires at least one DNS name.
func (i *Issuer) Server(dnsNames []string, lifetime time.Duration) (Certificate, error) {
	if len(dnsNames) == 0 {
		return Certificate{}, fmt.Errorf("a server certificate needs a DNS name: name the host that clients connect to")
	}
	return i.sign(&x509.Certificate{
		DNSNames:    dnsNames,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}, lifetime)
}

// Client issues a certificate for a client outside the mesh, for example an ingress gateway. It has no SPIFFE ID and serves no server.
func (i *Issuer) Client(dnsName string, lifetime time.Duration) (Certificate, error) {
	return i.sign(&x509.Certificate{
		DNSNames:    []string{dnsName},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}, lifetime)
}

// sign completes a template and signs it with the root.
func (i *Issuer) sign(template *x509.Certificate, lifetime time.Duration) (Certificate, error) {
	now := i.now()
	if err := validateAuthority(i.root.issuing, now); err != nil {
		return Certificate{}, fmt.Errorf("the certificate for %s cannot be issued: the root %w", template.DNSNames[0], err)
	}
	key, err := i.key.generate()
	if err != nil {
		return Certificate{}, err
	}
	if len(template.DNSNames[0]) <= maxCommonName {
		template.Subject = pkix.Name{CommonName: template.DNSNames[0]}
	}
	template.NotBefore = now.Add(-backdate)
	template.NotAfter = now.Add(lifetime)
	if template.NotAfter.After(i.root.issuing.NotAfter) {
		template.NotAfter = i.root.issuing.NotAfter
	}
	template.BasicConstraintsValid = true
	template.KeyUsage = x509.KeyUsageDigitalSignature
	if _, ok := key.(*rsa.PrivateKey); ok {
		template.KeyUsage |= x509.KeyUsageKeyEncipherment
	}
	der, err := x509.CreateCertificate(rand.Reader, template, i.root.issuing, key.Public(), i.root.key)
	if err != nil {
		return Certificate{}, fmt.Errorf("the certificate for %s cannot be signed: %w", template.DNSNames[0], err)
	}
	keyPEM, err := encodeKey(key)
	if err != nil {
		return Certificate{}, err
	}
	return Certificate{
		ChainPEM:   append(encodeCertificates(&x509.Certificate{Raw: der}), i.intermediates...),
		KeyPEM:     keyPEM,
		NotAfter:   template.NotAfter.UTC().Truncate(time.Second),
		Generation: i.root.Generation(),
	}, nil
}
