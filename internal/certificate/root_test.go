package certificate

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"
	"time"
)

func TestNewRoot_HasOSMSubjectAndLifetime(t *testing.T) {
	for _, key := range []KeySpec{{}, {ECDSA, 384}, {RSA, 2048}} {
		c := newRoot(t, key).issuing
		if got, want := c.Subject.String(), "CN=osm-ca.openservicemesh.io,O=Open Service Mesh,L=CA,C=US"; got != want {
			t.Errorf("subject is %s, want %s", got, want)
		}
		if years := time.Until(c.NotAfter).Hours() / 8760; years < 9.99 || years > 10.01 {
			t.Errorf("valid for %.2f years, want 10", years)
		}
		if !c.IsCA || c.KeyUsage&x509.KeyUsageCertSign == 0 {
			t.Error("it cannot sign certificates")
		}
	}
}

func TestRoot_RoundTripsThroughPEM(t *testing.T) {
	root := newRoot(t, KeySpec{})
	keyPEM, err := root.KeyPEM()
	if err != nil {
		t.Fatal(err)
	}
	again, err := ParseRoot(root.CertPEM(), keyPEM, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if again.Generation() != root.Generation() || !bytes.Equal(again.CertPEM(), root.CertPEM()) {
		t.Error("the root differs after a round trip through PEM")
	}
	if other := newRoot(t, KeySpec{}); other.Generation() == root.Generation() {
		t.Error("two roots have the same generation")
	}
}

// authority creates a CA certificate from a template that change can modify.
func authority(t *testing.T, key crypto.Signer, change func(*x509.Certificate)) []byte {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "corp"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	change(template)
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

func pemBlock(kind string, der []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

func TestParseRoot_AcceptsKeyFormats(t *testing.T) {
	ec, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	rs, _ := rsa.GenerateKey(rand.Reader, 2048)
	none := func(*x509.Certificate) {}
	sec1, err := x509.MarshalECPrivateKey(ec)
	parameters := pemBlock("EC PARAMETERS", []byte{6, 8, 42, 134, 72, 206, 61, 3, 1, 7}, nil)
	pkcs8, err8 := x509.MarshalPKCS8PrivateKey(rs)
	for name, c := range map[string]struct {
		signer crypto.Signer
		key    []byte
	}{
		"PKCS #1":                        {rs, pemBlock("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(rs), nil)},
		"PKCS #8":                        {rs, pemBlock("PRIVATE KEY", pkcs8, err8)},
		"SEC 1":                          {ec, pemBlock("EC PRIVATE KEY", sec1, err)},
		"SEC 1 with parameters, openssl": {ec, append(parameters, pemBlock("EC PRIVATE KEY", sec1, err)...)},
	} {
		if _, err := ParseRoot(authority(t, c.signer, none), c.key, time.Now()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestParseRoot_ReportsInvalidInput(t *testing.T) {
	key, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	keyPEM := pemBlock("PRIVATE KEY", der, err)
	other, _ := newRoot(t, KeySpec{}).KeyPEM()
	good := authority(t, key, func(*x509.Certificate) {})
	for name, c := range map[string]struct {
		cert, key []byte
		want      string
	}{
		"no certificate":     {nil, keyPEM, "ca.crt: there is no certificate"},
		"broken certificate": {pemBlock("CERTIFICATE", []byte("x"), nil), keyPEM, "certificate 1 of the PEM text is not readable"},
		"no key":             {good, good, "private.key: there is no private key"},
		"broken key":         {good, pemBlock("PRIVATE KEY", []byte("x"), nil), "is not a readable private key"},
		"encrypted key":      {good, pemBlock("ENCRYPTED PRIVATE KEY", []byte("x"), nil), "without a passphrase"},
		"another key":        {good, other, "does not belong to a certificate in ca.crt"},
		"not an authority":   {authority(t, key, func(c *x509.Certificate) { c.IsCA = false }), keyPEM, "is not a certificate authority"},
		"cannot sign":        {authority(t, key, func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageDigitalSignature }), keyPEM, "may not sign certificates"},
		"expired":            {authority(t, key, func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) }), keyPEM, "expired at"},
		"from tomorrow":      {authority(t, key, func(c *x509.Certificate) { c.NotBefore = time.Now().Add(24 * time.Hour) }), keyPEM, "is valid only from"},
	} {
		if _, err := ParseRoot(c.cert, c.key, time.Now()); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error is %v, want one with %q", name, err, c.want)
		}
	}
}

func TestParseRoot_TrustsAllAndIssuesWithMatchingKey(t *testing.T) {
	old, next := newRoot(t, KeySpec{}), newRoot(t, KeySpec{})
	keyPEM, _ := next.KeyPEM()
	both, err := ParseRoot(append(old.CertPEM(), next.CertPEM()...), keyPEM, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if both.Generation() != next.Generation() {
		t.Error("the certificate that belongs to the key does not issue")
	}
	if got := strings.Count(string(both.CertPEM()), "BEGIN CERTIFICATE"); got != 2 {
		t.Errorf("%d certificates are trusted, want 2", got)
	}
}
