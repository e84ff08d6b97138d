package certificate

import (
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"strings"
	"testing"
	"time"
)

// intermediate creates an authority that a root has issued.
func intermediate(t *testing.T, root *Root) (certificate *x509.Certificate, keyPEM []byte) {
	t.Helper()
	key, err := KeySpec{}.generate()
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "intermediate"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), MaxPathLenZero: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, root.issuing, key.Public(), root.key)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err = x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	keyPEM, err = encodeKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return certificate, keyPEM
}

// newCorporateRoot creates a root that may issue intermediate authorities.
func newCorporateRoot(t *testing.T) *Root {
	t.Helper()
	key, err := KeySpec{}.generate()
	if err != nil {
		t.Fatal(err)
	}
	der := authority(t, key, func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageCertSign })
	keyPEM, err := encodeKey(key)
	if err != nil {
		t.Fatal(err)
	}
	root, err := ParseRoot(der, keyPEM, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return root
}

// Peers that trust the root only must be able to verify what an intermediate issues.
func TestDecode_IntermediateIsSentWithEachCertificate(t *testing.T) {
	root := newCorporateRoot(t)
	issuing, key := intermediate(t, root)
	data := map[string][]byte{TrustKey: root.CertPEM(), ChainKey: encodeCertificates(issuing, root.issuing), SignerKey: key}
	decoded, err := Decode(data)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := decoded.Anchor(), root.Generation(); got != want {
		t.Errorf("the chain leads to %q, want the root %q", got, want)
	}
	if got := decoded.Anchors(); len(got) != 1 || got[0] != root.Generation() {
		t.Errorf("trusted are %v, want the root only", got)
	}
	leaf, err := NewIssuer(decoded, KeySpec{}, time.Now).Workload(bookbuyer, trustDomain, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	if err := verify(t, leaf, root.CertPEM(), x509.ExtKeyUsageServerAuth); err != nil {
		t.Errorf("a peer that trusts the root rejects the certificate: %v", err)
	}
	if n := strings.Count(string(leaf.ChainPEM), "BEGIN"); n != 2 {
		t.Errorf("%d certificates are sent, want the leaf and the intermediate", n)
	}
}

func TestEncode_RoundTrips(t *testing.T) {
	corporate := newCorporateRoot(t)
	issuing, key := intermediate(t, corporate)
	fromIntermediate, err := Decode(map[string][]byte{TrustKey: corporate.CertPEM(), ChainKey: encodeCertificates(issuing), SignerKey: key})
	if err != nil {
		t.Fatal(err)
	}
	own := newRoot(t, KeySpec{})
	for name, root := range map[string]*Root{
		"self-signed": own, "intermediate": fromIntermediate, "two roots": own.Trusting(append(own.Trusted(), corporate.Trusted()...)),
	} {
		data, err := root.Encode()
		if err != nil {
			t.Fatal(err)
		}
		again, err := Decode(data)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if again.Generation() != root.Generation() || string(again.CertPEM()) != string(root.CertPEM()) || len(again.chain) != len(root.chain) {
			t.Errorf("%s: the authority differs after a round trip", name)
		}
	}
}

func TestDecode_ReportsChainWithoutRoot(t *testing.T) {
	issuing, key := intermediate(t, newCorporateRoot(t))
	_, err := Decode(map[string][]byte{TrustKey: newRoot(t, KeySpec{}).CertPEM(), ChainKey: encodeCertificates(issuing), SignerKey: key})
	if err == nil || !strings.Contains(err.Error(), "leads to none of the trusted certificates") {
		t.Errorf("error is %v", err)
	}
	_, err = Decode(map[string][]byte{TrustKey: newRoot(t, KeySpec{}).CertPEM(), ChainKey: newRoot(t, KeySpec{}).CertPEM(), SignerKey: key})
	if err == nil || !strings.Contains(err.Error(), "does not belong to the issuing certificate") {
		t.Errorf("error is %v", err)
	}
}
