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
	// rootLifetime is OSM's lifetime of 87600 hours.
	rootLifetime = 87600 * time.Hour
	// backdate lets peers with slow clocks accept new certificates.
	backdate = 5 * time.Minute
)

// Root is a certificate authority: the issuing certificate, its key, and all trusted certificates. It is immutable.
type Root struct {
	issuing *x509.Certificate
	trusted []*x509.Certificate
	key     crypto.Signer
}

// NewRoot generates a self-signed root with OSM's subject, valid for ten years.
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

// ParseRoot parses an authority from PEM: the keys ca.crt and private.key of the CA Secret. ca.crt may hold several
// certificates: all are trusted, and the one that matches the key issues, so a root can be replaced in two steps.
// The issuing certificate must be a CA and be valid at now.
func ParseRoot(certPEM, keyPEM []byte, now time.Time) (*Root, error) {
	certificates, err := decodeCertificates(certPEM)
	if err != nil {
		return nil, fmt.Errorf("ca.crt: %w", err)
	}
	key, err := decodeKey(keyPEM)
	if err != nil {
		return nil, fmt.Errorf("private.key: %w", err)
	}
	issuing := findByKey(key, certificates)
	if issuing == nil {
		return nil, fmt.Errorf("private.key does not belong to a certificate in ca.crt (first subject %q): store the key of the certificate", certificates[0].Subject)
	}
	if err := validateAuthority(issuing, now); err != nil {
		return nil, fmt.Errorf("ca.crt: %w", err)
	}
	return &Root{issuing: issuing, trusted: certificates, key: key}, nil
}

// findByKey returns the certificate of a key, or nil.
func findByKey(key crypto.Signer, certificates []*x509.Certificate) *x509.Certificate {
	// Both types of public keys that decodeKey returns have this method.
	public := key.Public().(interface{ Equal(crypto.PublicKey) bool })
	for _, c := range certificates {
		if public.Equal(c.PublicKey) {
			return c
		}
	}
	return nil
}

// validateAuthority reports why a certificate cannot issue others at now.
func validateAuthority(c *x509.Certificate, now time.Time) error {
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

// CertPEM returns the trust bundle of the root as PEM.
func (r *Root) CertPEM() []byte { return encodeCertificates(r.trusted...) }

// KeyPEM returns the private key as PKCS #8 PEM. It must be stored in the CA Secret only.
func (r *Root) KeyPEM() ([]byte, error) { return encodeKey(r.key) }

// NotAfter returns the expiry of the issuing certificate.
func (r *Root) NotAfter() time.Time { return r.issuing.NotAfter }

// Generation returns a short hash of the issuing certificate. Certificates of equal generation are interchangeable to
// their peers.
func (r *Root) Generation() string {
	sum := sha256.Sum256(r.issuing.Raw)
	return hex.EncodeToString(sum[:6])
}

// selfSigned reports whether peers that trust the bundle need no intermediate certificate.
func (r *Root) selfSigned() bool { return r.issuing.CheckSignatureFrom(r.issuing) == nil }
