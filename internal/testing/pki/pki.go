package pki

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net/url"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
)

// Authority is a root that is valid for the duration of a test.
type Authority struct {
	// RootPEM is the root certificate.
	RootPEM []byte

	root *x509.Certificate
	key  crypto.Signer
}

// New generates an authority whose root is valid for one hour.
func New(t testing.TB) *Authority {
	t.Helper()
	key := newKey(t)
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		Subject:               pkix.Name{CommonName: "test root"},
		NotBefore:             time.Now().Add(-time.Minute),
		NotAfter:              time.Now().Add(time.Hour),
		KeyUsage:              x509.KeyUsageCertSign,
		IsCA:                  true,
		BasicConstraintsValid: true,
	}
	der := sign(t, template, template, key, key)
	root, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &Authority{RootPEM: encode("CERTIFICATE", der), root: root, key: key}
}

// Load returns an authority with the root and key of a mesh, both PEM.
func Load(t testing.TB, rootPEM, keyPEM []byte) *Authority {
	t.Helper()
	pair, err := tls.X509KeyPair(rootPEM, keyPEM)
	if err != nil {
		t.Fatal(err)
	}
	key, ok := pair.PrivateKey.(crypto.Signer)
	if !ok {
		t.Fatalf("the root has no key to sign with, but a %T", pair.PrivateKey)
	}
	return &Authority{RootPEM: rootPEM, root: pair.Leaf, key: key}
}

// Issue issues the certificate of a workload, with its principal as DNS name and its SPIFFE URI, and returns it with its key.
func (a *Authority) Issue(t testing.TB, sa identity.ServiceAccount, trustDomain string) (chainPEM, keyPEM []byte) {
	t.Helper()
	key := newKey(t)
	principal := sa.Principal(trustDomain)
	spiffeID, err := sa.SPIFFE(trustDomain)
	if err != nil {
		t.Fatal(err)
	}
	der := sign(t, &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()),
		Subject:      pkix.Name{CommonName: principal},
		DNSNames:     []string{principal},
		URIs:         []*url.URL{spiffeID},
		NotBefore:    time.Now().Add(-time.Minute),
		NotAfter:     time.Now().Add(time.Hour),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}, a.root, key, a.key)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return encode("CERTIFICATE", der), encode("PRIVATE KEY", private)
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func sign(t testing.TB, template, parent *x509.Certificate, key *ecdsa.PrivateKey, signer crypto.Signer) []byte {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func encode(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}
