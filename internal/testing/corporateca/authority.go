// Package corporateca issues intermediate authorities for tests, as an issuer of cert-manager does.
//
// Nothing flows in. Out flow the data of Secrets in the form of cert-manager.
package corporateca

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// Authority is a root outside the cluster.
type Authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

// New returns a new root that may issue intermediate authorities.
func New(t *testing.T) *Authority {
	t.Helper()
	return NewLimited(t, func(*x509.Certificate) {})
}

// NewLimited returns a new root with limits, for example of names, that a function sets.
func NewLimited(t *testing.T, limit func(*x509.Certificate)) *Authority {
	t.Helper()
	root := &Authority{key: newKey(t)}
	template := &x509.Certificate{Subject: pkix.Name{CommonName: "corporate root"}, NotAfter: time.Now().Add(87600 * time.Hour)}
	limit(template)
	root.certificate = sign(t, template, root.key, nil, root.key)
	return root
}

// Intermediate issues an intermediate authority for 90 days, and returns the data of its Secret.
func (a *Authority) Intermediate(t *testing.T) map[string][]byte {
	t.Helper()
	key := newKey(t)
	template := &x509.Certificate{Subject: pkix.Name{CommonName: "mesh"}, NotAfter: time.Now().Add(90 * 24 * time.Hour)}
	issued := sign(t, template, key, a.certificate, a.key)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return map[string][]byte{
		corev1.TLSCertKey: encode("CERTIFICATE", issued.Raw), corev1.TLSPrivateKeyKey: encode("PRIVATE KEY", der), "ca.crt": a.CertPEM(),
	}
}

// SignRequest signs a certificate signing request (PEM) as an intermediate authority for 90 days.
func (a *Authority) SignRequest(t *testing.T, request []byte) []byte {
	t.Helper()
	block, _ := pem.Decode(request)
	parsed, err := x509.ParseCertificateRequest(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: parsed.Subject, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(90 * 24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.certificate, parsed.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	return encode("CERTIFICATE", der)
}

// CertPEM returns the certificate of the root.
func (a *Authority) CertPEM() []byte { return encode("CERTIFICATE", a.certificate.Raw) }

// sign issues a certificate of an authority. A nil parent means that it is self-signed.
func sign(t *testing.T, template *x509.Certificate, key *ecdsa.PrivateKey, parent *x509.Certificate, parentKey *ecdsa.PrivateKey) *x509.Certificate {
	t.Helper()
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		t.Fatal(err)
	}
	template.SerialNumber, template.NotBefore = serial, time.Now().Add(-time.Hour)
	template.IsCA, template.BasicConstraintsValid, template.KeyUsage = true, true, x509.KeyUsageCertSign
	if parent == nil {
		parent = template
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), parentKey)
	if err != nil {
		t.Fatal(err)
	}
	issued, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return issued
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func encode(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}
