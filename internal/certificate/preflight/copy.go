package preflight

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"fmt"
	"math/big"
	"time"
)

// copied is a copy of an authority with keys of its own. It has the same limits: names, usages, path length and validity.
type copied struct {
	issuing       *x509.Certificate
	key           *ecdsa.PrivateKey
	root          *x509.CertPool
	intermediates *x509.CertPool
	now           time.Time
}

// copyAuthority copies the certificates of an authority, which begin with the issuing one and end with the root.
func copyAuthority(path []*x509.Certificate, now time.Time) (*copied, error) {
	c := &copied{root: x509.NewCertPool(), intermediates: x509.NewCertPool(), now: now}
	for i := len(path) - 1; i >= 0; i-- {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return nil, fmt.Errorf("generate a key: %w", err)
		}
		template := withLimitsOf(path[i])
		parent, signer := template, key
		if c.issuing != nil {
			parent, signer = c.issuing, c.key
		}
		made, err := sign(template, parent, key, signer)
		if err != nil {
			return nil, fmt.Errorf("copy the certificate %q: %w", path[i].Subject, err)
		}
		if c.issuing == nil {
			c.root.AddCert(made)
		} else {
			c.intermediates.AddCert(made)
		}
		c.issuing, c.key = made, key
	}
	return c, nil
}

// withLimitsOf returns a template with everything that limits what a certificate may issue.
func withLimitsOf(c *x509.Certificate) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: c.Subject, NotBefore: c.NotBefore, NotAfter: c.NotAfter,
		IsCA: c.IsCA, BasicConstraintsValid: c.BasicConstraintsValid, MaxPathLen: c.MaxPathLen, MaxPathLenZero: c.MaxPathLenZero,
		KeyUsage: c.KeyUsage, ExtKeyUsage: c.ExtKeyUsage, UnknownExtKeyUsage: c.UnknownExtKeyUsage,
		PermittedDNSDomainsCritical: c.PermittedDNSDomainsCritical, PermittedDNSDomains: c.PermittedDNSDomains, ExcludedDNSDomains: c.ExcludedDNSDomains,
		PermittedIPRanges: c.PermittedIPRanges, ExcludedIPRanges: c.ExcludedIPRanges,
		PermittedEmailAddresses: c.PermittedEmailAddresses, ExcludedEmailAddresses: c.ExcludedEmailAddresses,
		PermittedURIDomains: c.PermittedURIDomains, ExcludedURIDomains: c.ExcludedURIDomains,
	}
}

// limitsNames reports whether an authority may not issue certificates for all names.
func limitsNames(path []*x509.Certificate) bool {
	for _, c := range path {
		if len(c.PermittedDNSDomains)+len(c.ExcludedDNSDomains)+len(c.PermittedURIDomains)+len(c.ExcludedURIDomains)+
			len(c.PermittedIPRanges)+len(c.ExcludedIPRanges)+len(c.PermittedEmailAddresses)+len(c.ExcludedEmailAddresses) > 0 {
			return true
		}
	}
	return false
}

// issue issues the certificate of a holder and returns why a peer would reject it.
func (c *copied) issue(h holder) error {
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), DNSNames: h.dnsNames, URIs: h.uris, NotBefore: c.now.Add(-time.Minute), NotAfter: c.now.Add(time.Minute),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: h.usages, BasicConstraintsValid: true,
	}
	leaf, err := sign(template, c.issuing, c.key, c.key)
	if err != nil {
		return err
	}
	// Each usage must be possible: a peer verifies one.
	for _, usage := range h.usages {
		options := x509.VerifyOptions{Roots: c.root, Intermediates: c.intermediates, CurrentTime: c.now, KeyUsages: []x509.ExtKeyUsage{usage}}
		if _, err := leaf.Verify(options); err != nil {
			return fmt.Errorf("%s: %w", usageNames[usage], err)
		}
	}
	return nil
}

// usageNames describe who would reject a certificate.
var usageNames = map[x509.ExtKeyUsage]string{
	x509.ExtKeyUsageClientAuth: "servers would reject it as that of a client",
	x509.ExtKeyUsageServerAuth: "clients would reject it as that of a server",
}

// sign signs a template for a key.
func sign(template, parent *x509.Certificate, key, signer *ecdsa.PrivateKey) (*x509.Certificate, error) {
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}
