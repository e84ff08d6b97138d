package certificate

import (
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"fmt"
	"time"
)

const (
	// rootLifetime is OSM's 87600 hours.
	rootLifetime = 87600 * time.Hour
	// backdate makes new certificates valid for peers whose clocks are behind.
	backdate = 5 * time.Minute
)

// Root is a certificate authority: the certificate that issues, its key, and the certificates trusted with it.
// It is immutable.
type Root struct {
	issuing *x509.Certificate
	trusted []*x509.Certificate
	key     crypto.Signer
}

// NewRoot makes a self-signed root with OSM's subject, valid for ten years.
func NewRoot(key KeySpec, now time.Time) (*Root, error) {
	signer, err := key.generate()
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		Subject: pkix.Name{
			CommonName:   "osm-ca.openservicemesh.io",
			Organization: []string{"Open Service Mesh"},
			Country:      []string{"US"},
			Locality:     []string{"CA"},
		},
		NotBefore:             now.Add(-backdate),
		NotAfter:              now.Add(rootLifetime),
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign | x509.KeyUsageDigitalSignature,
		BasicConstraintsValid: true,
		IsCA:                  true,
		MaxPathLenZero:        true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, signer.Public(), signer)
	if err != nil {
		return nil, fmt.Errorf("the root certificate cannot be signed: %w", err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("the new root certificate is not readable: %w", err)
	}
	return &Root{issuing: certificate, trusted: []*x509.Certificate{certificate}, key: signer}, nil
}

// ParseRoot reads an authority from PEM: the keys ca.crt and private.key of the CA Secret. ca.crt may hold several
// certificates: the one that belongs to the key issues, and all are trusted, so that a root can be replaced in two steps.
// The issuing certificate must be a CA and valid at now.
func ParseRoot(certPEM, keyPEM []byte, now time.Time) (*Root, error) {
	certificates, err := decodeCertificates(certPEM)
	if err != nil {
		return nil, fmt.Errorf("ca.crt: %w", err)
	}
	key, err := decodeKey(keyPEM)
	if err != nil {
		return nil, fmt.Errorf("private.key: %w", err)
	}
	issuing := issuedFor(key, certificates)
	if issuing == nil {
		return nil, fmt.Errorf("private.key does not belong to a certificate in ca.crt (first subject %q): store the key that the certificate was made with", certificates[0].Subject)
	}
	if err := checkAuthority(issuing, now); err != nil {
		return nil, fmt.Errorf("ca.crt: %w", err)
	}
	return &Root{issuing: issuing, trusted: certificates, key: key}, nil
}

// issuedFor finds the certificate of a key.
func issuedFor(key crypto.Signer, certificates []*x509.Certificate) *x509.Certificate {
	// Both kinds of public keys that decodeKey accepts have this method.
	public := key.Public().(interface{ Equal(crypto.PublicKey) bool })
	for _, c := range certificates {
		if public.Equal(c.PublicKey) {
			return c
		}
	}
	return nil
}

// checkAuthority says why a certificate cannot issue others at now.
func checkAuthority(c *x509.Certificate, now time.Time) error {
	switch {
	case !c.BasicConstraintsValid || !c.IsCA:
		return fmt.Errorf("%q is not a certificate authority: it needs the basic constraint CA:TRUE", c.Subject)
	case c.KeyUsage != 0 && c.KeyUsage&x509.KeyUsageCertSign == 0:
		return fmt.Errorf("%q may not sign certificates: it needs the key usage \"certificate sign\"", c.Subject)
	case !now.Before(c.NotAfter):
		return fmt.Errorf("%q expired at %s: replace it", c.Subject, c.NotAfter.UTC().Format(time.RFC3339))
	case now.Before(c.NotBefore):
		return fmt.Errorf("%q is valid only from %s: check the clock of this machine, or replace it", c.Subject, c.NotBefore.UTC().Format(time.RFC3339))
	}
	return nil
}

// CertPEM is the trust bundle of the root as PEM: all trusted certificates.
func (r *Root) CertPEM() []byte { return encodeCertificates(r.trusted...) }

// KeyPEM is the private key as PKCS #8 PEM, for the CA Secret and nowhere else.
func (r *Root) KeyPEM() ([]byte, error) { return encodeKey(r.key) }

// NotAfter is when the issuing certificate expires.
func (r *Root) NotAfter() time.Time { return r.issuing.NotAfter }

// Generation identifies the issuing certificate: a short hash of it. Leaf certificates of equal generation are
// interchangeable to their peers.
func (r *Root) Generation() string {
	sum := sha256.Sum256(r.issuing.Raw)
	return hex.EncodeToString(sum[:6])
}

// selfSigned says whether peers that trust the bundle need no intermediate certificate.
func (r *Root) selfSigned() bool { return r.issuing.CheckSignatureFrom(r.issuing) == nil }
