package certificate

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"net/url"
	"time"

	"github.com/openservicemesh/osm-operator/internal/identity"
)

// maxCommonName is the limit of X.509 (ub-common-name); longer names are in the DNS SAN alone.
const maxCommonName = 64

// Leaf is a certificate with its private key. Its bytes are shared and must not be changed.
type Leaf struct {
	// ChainPEM is the certificate, followed by the intermediate certificates that a peer needs.
	ChainPEM []byte
	// KeyPEM is the private key as PKCS #8.
	KeyPEM []byte
	// NotAfter is when the certificate expires.
	NotAfter time.Time
	// Generation is that of the root that issued it.
	Generation string
}

// Issuer signs leaf certificates with a root. It is immutable and safe for concurrent use.
type Issuer struct {
	root *Root
	key  KeySpec
	now  func() time.Time
	// intermediates is what follows each leaf in its chain.
	intermediates []byte
}

// NewIssuer makes an issuer whose leaves have new keys as key says. now is the clock.
func NewIssuer(root *Root, key KeySpec, now func() time.Time) *Issuer {
	issuer := &Issuer{root: root, key: key, now: now}
	if !root.selfSigned() {
		issuer.intermediates = encodeCertificates(root.issuing)
	}
	return issuer
}

// Workload issues the certificate of a workload identity, valid for lifetime from now but never longer than the root:
// the principal as DNS name (and common name when it fits), the SPIFFE id as URI, for clients and servers.
func (i *Issuer) Workload(sa identity.ServiceAccount, trustDomain string, lifetime time.Duration) (Leaf, error) {
	return i.sign(&x509.Certificate{
		DNSNames:    []string{sa.Principal(trustDomain)},
		URIs:        []*url.URL{sa.SPIFFE(trustDomain)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
	}, lifetime)
}

// Server issues a certificate for a server of the control plane, for example ads.<trust domain> or osm-validator.<namespace>.svc.
// At least one DNS name is needed.
func (i *Issuer) Server(dnsNames []string, lifetime time.Duration) (Leaf, error) {
	if len(dnsNames) == 0 {
		return Leaf{}, fmt.Errorf("a server certificate needs a DNS name: name the host that clients connect to")
	}
	return i.sign(&x509.Certificate{
		DNSNames:    dnsNames,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}, lifetime)
}

// sign completes a template and signs it with the root.
func (i *Issuer) sign(template *x509.Certificate, lifetime time.Duration) (Leaf, error) {
	now := i.now()
	if err := checkAuthority(i.root.issuing, now); err != nil {
		return Leaf{}, fmt.Errorf("no certificate for %s: the root %w", template.DNSNames[0], err)
	}
	key, err := i.key.generate()
	if err != nil {
		return Leaf{}, err
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
		return Leaf{}, fmt.Errorf("the certificate for %s cannot be signed: %w", template.DNSNames[0], err)
	}
	keyPEM, err := encodeKey(key)
	if err != nil {
		return Leaf{}, err
	}
	return Leaf{
		ChainPEM:   append(encodeCertificates(&x509.Certificate{Raw: der}), i.intermediates...),
		KeyPEM:     keyPEM,
		NotAfter:   template.NotAfter.UTC().Truncate(time.Second),
		Generation: i.root.Generation(),
	}, nil
}
