package pki

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"math/big"
	"net/url"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

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

// Sign signs a certificate for a key, and returns its encoding.
func (a *Authority) Sign(t testing.TB, template *x509.Certificate, key *ecdsa.PrivateKey) []byte {
	t.Helper()
	return sign(t, template, a.root, key, a.key)
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

// Pair is a certificate chain and its key, both PEM.
type Pair struct{ Chain, Key []byte }

// SelfSigned returns a certificate of a key for shop.example.com. Changes edit its template.
func SelfSigned(t testing.TB, key crypto.Signer, changes ...func(*x509.Certificate)) Pair {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "shop.example.com"}, DNSNames: []string{"shop.example.com"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	for _, change := range changes {
		change(template)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return Pair{encode("CERTIFICATE", der), encode("PRIVATE KEY", private)}
}

// Keys returns keys of all kinds that users have, by name.
func Keys(t testing.TB) map[string]crypto.Signer {
	t.Helper()
	keys := map[string]crypto.Signer{}
	add := func(name string, key crypto.Signer, err error) {
		if err != nil {
			t.Fatalf("no key %s: %v", name, err)
		}
		keys[name] = key
	}
	for name, curve := range map[string]elliptic.Curve{"P-224": elliptic.P224(), "P-256": elliptic.P256(), "P-384": elliptic.P384(), "P-521": elliptic.P521()} {
		key, err := ecdsa.GenerateKey(curve, rand.Reader)
		add(name, key, err)
	}
	for name, bits := range map[string]int{"RSA 1024": 1024, "RSA 2048": 2048} {
		key, err := rsa.GenerateKey(rand.Reader, bits)
		add(name, key, err)
	}
	primes, err := rsa.GenerateMultiPrimeKey(rand.Reader, 3, 2048) //nolint:staticcheck // Users can have such keys, which Envoy cannot read.
	add("RSA of three primes", primes, err)
	_, key, err := ed25519.GenerateKey(rand.Reader)
	add("Ed25519", key, err)
	return keys
}

// Unusual returns chains with their keys in forms that users write by mistake, by name. Their first certificate is valid for crypto/tls.
func Unusual(t testing.TB) map[string]Pair {
	t.Helper()
	key := newKey(t)
	usual := SelfSigned(t, key)
	damaged := "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
	after := func(text string) Pair { return Pair{append(bytes.Clone(usual.Chain), text...), usual.Key} }
	return map[string]Pair{
		"a damaged intermediate":           after(damaged),
		"a damaged intermediate of a kind": after("-----BEGIN X509 CERTIFICATE-----\nAAAA\n-----END X509 CERTIFICATE-----\n"),
		"an incomplete intermediate":       after("-----BEGIN CERTIFICATE-----\nAAA"),
		"the start of an intermediate":     after("-----BEGIN CERTIFICATE-----\n"),
		"words":                            after("the end\n"),
		"headers":                          {bytes.Replace(usual.Chain, []byte("-----BEGIN CERTIFICATE-----\n"), []byte("-----BEGIN CERTIFICATE-----\nOwner: shop\n\n"), 1), usual.Key},
		"the key first":                    {append(bytes.Clone(usual.Key), usual.Chain...), usual.Key},
		"lines of Windows": {
			bytes.ReplaceAll(usual.Chain, []byte("\n"), []byte("\r\n")),
			bytes.ReplaceAll(usual.Key, []byte("\n"), []byte("\r\n")),
		},
		"a key to agree on keys": SelfSigned(t, key, func(c *x509.Certificate) {
			c.KeyUsage = x509.KeyUsageKeyAgreement
		}),
		"must staple": SelfSigned(t, key, func(c *x509.Certificate) {
			c.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 24}, Value: []byte{0x30, 3, 2, 1, 5}}}
		}),
	}
}

// Corporate is a root outside the cluster. It issues intermediate authorities, as an issuer of cert-manager does.
type Corporate struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

// NewCorporate returns a new root that may issue intermediate authorities.
func NewCorporate(t *testing.T) *Corporate {
	t.Helper()
	return NewLimitedCorporate(t, func(*x509.Certificate) {})
}

// NewLimitedCorporate returns a new root with limits, for example of names, that a function sets.
func NewLimitedCorporate(t *testing.T, limit func(*x509.Certificate)) *Corporate {
	t.Helper()
	root := &Corporate{key: newKey(t)}
	template := &x509.Certificate{Subject: pkix.Name{CommonName: "corporate root"}, NotAfter: time.Now().Add(87600 * time.Hour)}
	limit(template)
	root.certificate = signAuthority(t, template, root.key, nil, root.key)
	return root
}

// Intermediate issues an intermediate authority for 90 days, and returns the data of its Secret.
func (a *Corporate) Intermediate(t *testing.T) map[string][]byte {
	t.Helper()
	key := newKey(t)
	template := &x509.Certificate{Subject: pkix.Name{CommonName: "mesh"}, NotAfter: time.Now().Add(90 * 24 * time.Hour)}
	issued := signAuthority(t, template, key, a.certificate, a.key)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return map[string][]byte{
		corev1.TLSCertKey: encode("CERTIFICATE", issued.Raw), corev1.TLSPrivateKeyKey: encode("PRIVATE KEY", der), "ca.crt": a.CertPEM(),
	}
}

// SignRequest signs a certificate signing request (PEM) as an intermediate authority for 90 days.
func (a *Corporate) SignRequest(t *testing.T, request []byte) []byte {
	t.Helper()
	block, _ := pem.Decode(request)
	parsed, err := x509.ParseCertificateRequest(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: parsed.Subject, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(90 * 24 * time.Hour),
		IsCA:     true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.certificate, parsed.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	return encode("CERTIFICATE", der)
}

// CertPEM returns the certificate of the root.
func (a *Corporate) CertPEM() []byte { return encode("CERTIFICATE", a.certificate.Raw) }

// signAuthority issues the certificate of an authority. A nil parent means that it is self-signed.
func signAuthority(t *testing.T, template *x509.Certificate, key *ecdsa.PrivateKey, parent *x509.Certificate, parentKey *ecdsa.PrivateKey) *x509.Certificate {
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
	issued, err := x509.ParseCertificate(sign(t, template, parent, key, parentKey))
	if err != nil {
		t.Fatal(err)
	}
	return issued
}
