package legacyosm

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"time"
)

// Authority is a certificate authority like that of OSM's built-in provider: RSA, with OSM's subject, valid for ten years.
type Authority struct {
	certificate *x509.Certificate
	key         *rsa.PrivateKey
}

// NewAuthority generates an authority that is valid from one hour before now.
func NewAuthority(now time.Time) (*Authority, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, fmt.Errorf("the key of the authority: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		Subject:   pkix.Name{CommonName: "osm-ca.openservicemesh.io", Organization: []string{"Open Service Mesh"}, Country: []string{"US"}, Locality: []string{"CA"}},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(87600 * time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("the certificate of the authority: %w", err)
	}
	certificate, err := x509.ParseCertificate(der)
	return &Authority{certificate, key}, err
}

// CertPEM returns the value of ca.crt in OSM's Secret.
func (a *Authority) CertPEM() []byte { return certificatePEM(a.certificate.Raw) }

// KeyPEM returns the value of private.key in OSM's Secret.
func (a *Authority) KeyPEM() ([]byte, error) { return keyPEM(a.key) }

// Issue issues a service certificate as OSM does: with the name as its only DNS name, and without a URI.
func (a *Authority) Issue(name string, now time.Time) (certificate, key []byte, err error) {
	own, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, nil, fmt.Errorf("the key of %s: %w", name, err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()), Subject: pkix.Name{CommonName: name, Organization: []string{"Open Service Mesh"}}, DNSNames: []string{name},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(24 * time.Hour), KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.certificate, own.Public(), a.key)
	if err != nil {
		return nil, nil, fmt.Errorf("the certificate of %s: %w", name, err)
	}
	key, err = keyPEM(own)
	return certificatePEM(der), key, err
}

func certificatePEM(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

func keyPEM(key *rsa.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), err
}
