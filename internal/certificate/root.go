package certificate

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
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
	// chain leads from the issuing certificate to a trusted one, which it does not include. It is empty for a self-signed root.
	chain   []*x509.Certificate
	trusted []*x509.Certificate
	key     crypto.Signer
	// domains are the trust domains of the mesh; zero if they are not known.
	domains identity.TrustDomains
	// external issues the certificates of workloads; nil if the authority does.
	external *ExternalIssuer
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

// ParseRoot parses an authority from PEM: the keys ca.crt and private.key of the CA Secret. ca.crt may hold several certificates. All are
// trusted, and the one that matches the key issues, so a root can be replaced in two steps. The issuing certificate must be a CA and be
// valid at now.
func ParseRoot(certPEM, keyPEM []byte, now time.Time) (*Root, error) {
	root, err := Decode(map[string][]byte{TrustKey: certPEM, SignerKey: keyPEM})
	if err != nil {
		return nil, err
	}
	if err := root.Valid(now); err != nil {
		return nil, fmt.Errorf("ca.crt: %w", err)
	}
	return root, nil
}

// decodeBundle finds the issuing certificate among the trusted ones.
func decodeBundle(key crypto.Signer, trusted []*x509.Certificate) (*Root, error) {
	issuing := findByKey(key, trusted)
	if issuing == nil {
		return nil, fmt.Errorf("private.key does not belong to a certificate in ca.crt (first subject %q): store the key of the certificate", trusted[0].Subject)
	}
	root := &Root{issuing: issuing, trusted: trusted, key: key}
	if !isSelfSigned(issuing) {
		root.chain = []*x509.Certificate{issuing}
	}
	return root, nil
}

// NewAuthority returns an authority that issues with the first certificate of a chain. A self-signed certificate at the end of the
// chain is left out, because peers trust it already.
func NewAuthority(key crypto.Signer, chain, trusted []*x509.Certificate) (*Root, error) {
	if findByKey(key, chain[:1]) == nil {
		return nil, fmt.Errorf("the private key does not belong to the issuing certificate %q: store the key of the certificate", chain[0].Subject)
	}
	root := &Root{issuing: chain[0], chain: slices.DeleteFunc(slices.Clone(chain), isSelfSigned), trusted: trusted, key: key}
	if root.Anchor() == "" {
		return nil, fmt.Errorf("the chain of %q leads to none of the trusted certificates: add the certificate of its root to %s", root.issuing.Subject, TrustKey)
	}
	return root, nil
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

// RenewalTime returns when the issuing certificate should be replaced: at two thirds of its lifetime.
func (r *Root) RenewalTime() time.Time {
	return r.issuing.NotAfter.Add(-r.issuing.NotAfter.Sub(r.issuing.NotBefore) / 3)
}

// Generation returns a short hash of the issuing certificate. Certificates of equal generation are interchangeable to
// their peers.
func (r *Root) Generation() string { return fingerprint(r.issuing) }

// Anchors returns the fingerprints of the trusted certificates, in their order.
func (r *Root) Anchors() []string { return lists.Map(r.trusted, fingerprint) }

// Fingerprints returns the fingerprints of the certificates in a PEM text, in their order.
func Fingerprints(text []byte) ([]string, error) {
	certificates, err := DecodeCertificates(text)
	if err != nil {
		return nil, err
	}
	return lists.Map(certificates, fingerprint), nil
}

// FullFingerprints returns the SHA-256 hashes of PEM certificates in hexadecimal. People compare them to detect that somebody has replaced a certificate, for
// which those of Fingerprints are too short.
func FullFingerprints(text []byte) ([]string, error) {
	certificates, err := DecodeCertificates(text)
	if err != nil {
		return nil, err
	}
	return lists.Map(certificates, func(c *x509.Certificate) string {
		sum := sha256.Sum256(c.Raw)
		return hex.EncodeToString(sum[:])
	}), nil
}

// fingerprint returns a short hash of a certificate.
func fingerprint(c *x509.Certificate) string {
	sum := sha256.Sum256(c.Raw)
	return hex.EncodeToString(sum[:6])
}

// isSelfSigned reports whether peers that trust a certificate need no intermediate certificate.
func isSelfSigned(c *x509.Certificate) bool { return c.CheckSignatureFrom(c) == nil }

// retiredRoot is an authority that stays trusted until the last certificate that it issued has expired.
type retiredRoot struct {
	certificates []*x509.Certificate
	until        time.Time
}

// SetRoot replaces the root and its trust domains, and renews every workload's certificate if the issuer or
// the trust domain differs. A root that trusts the old one declares itself when to
// withdraw it. Otherwise the old root stays in the trust bundle until its last workload certificate has expired. Setting the same
// root again has no effect.
func (m *Manager) SetRoot(root *Root) {
	m.mu.Lock()
	old := m.issuer.root
	before, after := m.trustDomainsOf(old), m.trustDomainsOf(root)
	sameIssuer := bytes.Equal(old.issuing.Raw, root.issuing.Raw) && before.Issued == after.Issued && SameExternalIssuer(old, root)
	if sameIssuer && bytes.Equal(old.CertPEM(), root.CertPEM()) && before.Equal(after) {
		m.mu.Unlock()
		return
	}
	m.issuer = NewIssuer(root, m.options.Key, m.options.Now)
	if !sameIssuer {
		until := m.renewAll()
		if !root.trustsAll(old) {
			m.retired = append(m.retired, retiredRoot{certificates: old.trusted, until: until})
		}
	}
	m.mu.Unlock()
	m.options.RootChanged()
	m.notify()
}

// renewAll makes all certificates due for renewal, and returns when the last one expires. A certificate that is being issued may
// have the whole lifetime. The caller must hold the lock.
func (m *Manager) renewAll() time.Time {
	now := m.options.Now()
	until := now.Add(m.lifetime)
	for _, e := range m.entries {
		if !e.issued() {
			continue
		}
		e.renewAt = now
		if e.leaf.NotAfter.After(until) {
			until = e.leaf.NotAfter
		}
	}
	return until
}

// trustsAll reports whether a root trusts every certificate that another one trusts.
func (r *Root) trustsAll(other *Root) bool {
	return !slices.ContainsFunc(other.trusted, func(c *x509.Certificate) bool { return !slices.ContainsFunc(r.trusted, c.Equal) })
}

// dropRetiredRoots removes retired roots that have expired, and reports whether there were any.
func (m *Manager) dropRetiredRoots() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.options.Now()
	before := len(m.retired)
	m.retired = slices.DeleteFunc(m.retired, func(r retiredRoot) bool { return !r.until.After(now) })
	return len(m.retired) != before
}

// Root returns the trust bundle for connections between workloads as PEM: the certificates of the current root, then
// those of retired roots, without duplicates.
func (m *Manager) Root() []byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	bundle := slices.Clone(m.issuer.root.trusted)
	for _, r := range m.retired {
		for _, c := range r.certificates {
			bundle = appendDistinct(bundle, c)
		}
	}
	return encodeCertificates(bundle...)
}
