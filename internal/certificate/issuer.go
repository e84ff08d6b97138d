package certificate

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"net/url"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
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

// ControlPlane issues a certificate for the connections between the control planes of two meshes: for servers and clients. It has one DNS name, because a peer
// rejects names outside the trust domain that it expects.
func (i *Issuer) ControlPlane(dnsName string, lifetime time.Duration) (Certificate, error) {
	return i.sign(&x509.Certificate{
		DNSNames:    []string{dnsName},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
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

// Algorithm is the algorithm of a private key. The values are those of the Mesh object.
type Algorithm string

// Supported algorithms.
const (
	ECDSA Algorithm = "ECDSA"
	RSA   Algorithm = "RSA"
)

// KeySpec describes a private key to generate. The zero value means ECDSA P-256.
type KeySpec struct {
	// Algorithm is ECDSA by default.
	Algorithm Algorithm
	// Bits is 256 (default) or 384 for ECDSA; 2048 (default) to 4096 for RSA.
	Bits int
}

// generate generates a private key from the system's random source.
func (k KeySpec) generate() (crypto.Signer, error) {
	switch {
	case (k.Algorithm == "" || k.Algorithm == ECDSA) && (k.Bits == 0 || k.Bits == 256):
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case (k.Algorithm == "" || k.Algorithm == ECDSA) && k.Bits == 384:
		return ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case k.Algorithm == RSA && k.Bits == 0:
		return rsa.GenerateKey(rand.Reader, 2048)
	case k.Algorithm == RSA && k.Bits >= 2048 && k.Bits <= 4096:
		return rsa.GenerateKey(rand.Reader, k.Bits)
	}
	return nil, fmt.Errorf("a key with algorithm %q and %d bits cannot be generated: use ECDSA with 256 or 384 bits, or RSA with 2048 to 4096", k.Algorithm, k.Bits)
}

// encodeKey encodes a private key as PKCS #8 PEM.
func encodeKey(key crypto.Signer) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("the private key cannot be encoded: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

// decodeKey decodes the first private key of a PEM text, in PKCS #8, PKCS #1 or SEC 1 form. It skips other blocks, such
// as the "EC PARAMETERS" of openssl.
func decodeKey(text []byte) (crypto.Signer, error) {
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		var key any
		var err error
		switch block.Type {
		case "PRIVATE KEY":
			key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
		case "RSA PRIVATE KEY":
			key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
		case "EC PRIVATE KEY":
			key, err = x509.ParseECPrivateKey(block.Bytes)
		case "ENCRYPTED PRIVATE KEY":
			return nil, fmt.Errorf("the private key is encrypted: store it without a passphrase")
		default:
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("the PEM block %q is not a readable private key: %w", block.Type, err)
		}
		switch key := key.(type) {
		case *ecdsa.PrivateKey:
			return key, nil
		case *rsa.PrivateKey:
			return key, nil
		}
		return nil, fmt.Errorf("the private key has an unsupported algorithm: use ECDSA or RSA")
	}
	return nil, fmt.Errorf("there is no private key in the PEM text: expected a block \"PRIVATE KEY\", \"RSA PRIVATE KEY\" or \"EC PRIVATE KEY\"")
}

// encodeCertificates encodes certificates as PEM.
func encodeCertificates(certificates ...*x509.Certificate) []byte {
	return lists.FlatMap(certificates, func(c *x509.Certificate) []byte {
		return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})
	})
}

// DecodeCertificates decodes all certificates of a PEM text. It returns an error if there are none.
func DecodeCertificates(text []byte) ([]*x509.Certificate, error) {
	var all []*x509.Certificate
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("certificate %d of the PEM text is not readable: %w", len(all)+1, err)
		}
		all = append(all, c)
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("there is no certificate in the PEM text: expected a block \"CERTIFICATE\"")
	}
	return all, nil
}
