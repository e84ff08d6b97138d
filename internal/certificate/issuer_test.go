package certificate

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
)

func TestWorkloadCertificate(t *testing.T) {
	root := newRoot(t, KeySpec{})
	leaf, err := NewIssuer(root, KeySpec{}, time.Now).Workload(bookbuyer, trustDomain, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	c := parse(t, leaf.ChainPEM)
	if want := "bookbuyer.bookbuyer.cluster.local"; c.Subject.CommonName != want || !slices.Equal(c.DNSNames, []string{want}) {
		t.Errorf("common name %q and DNS names %q, want both to be %s", c.Subject.CommonName, c.DNSNames, want)
	}
	if len(c.URIs) != 1 || c.URIs[0].String() != "spiffe://cluster.local/bookbuyer/bookbuyer" {
		t.Errorf("URIs are %v", c.URIs)
	}
	if c.IsCA {
		t.Error("a workload can sign certificates")
	}
	if age := time.Since(c.NotBefore); age < backdate {
		t.Errorf("valid since %s, peers with slow clocks reject it", age)
	}
	if !leaf.NotAfter.Equal(c.NotAfter) || leaf.Generation != root.Generation() {
		t.Error("NotAfter or Generation does not match the certificate")
	}
	for _, usage := range []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth} {
		if err := verify(t, leaf, root.CertPEM(), usage); err != nil {
			t.Error(err)
		}
	}
	key, err := decodeKey(leaf.KeyPEM)
	if err != nil || findByKey(key, []*x509.Certificate{c}) == nil {
		t.Errorf("the key does not belong to the certificate: %v", err)
	}
}

func TestWorkload_LongNameIsDNSNameOnly(t *testing.T) {
	long := identity.ServiceAccount{Namespace: "n", Name: strings.Repeat("a", 100)}
	leaf, err := NewIssuer(newRoot(t, KeySpec{}), KeySpec{}, time.Now).Workload(long, trustDomain, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	c := parse(t, leaf.ChainPEM)
	if c.Subject.CommonName != "" || c.DNSNames[0] != long.Principal(trustDomain) {
		t.Errorf("common name %q, DNS names %q", c.Subject.CommonName, c.DNSNames)
	}
}

func TestWorkload_ExpiresWithRoot(t *testing.T) {
	root := newRoot(t, KeySpec{})
	leaf, err := NewIssuer(root, KeySpec{}, time.Now).Workload(bookbuyer, trustDomain, 2*rootLifetime)
	if err != nil {
		t.Fatal(err)
	}
	if leaf.NotAfter.After(root.NotAfter()) {
		t.Errorf("valid until %s, the root until %s", leaf.NotAfter, root.NotAfter())
	}
}

func TestThreat44ExpiredRootCannotIssue(t *testing.T) {
	root := newRoot(t, KeySpec{})
	later := func() time.Time { return root.NotAfter() }
	_, err := NewIssuer(root, KeySpec{}, later).Workload(bookbuyer, trustDomain, time.Hour)
	if err == nil || !strings.Contains(err.Error(), "expired") {
		t.Errorf("error is %v, want one about the expired root", err)
	}
}

func TestServer_IsForServersOnly(t *testing.T) {
	root := newRoot(t, KeySpec{})
	issuer := NewIssuer(root, KeySpec{}, time.Now)
	leaf, err := issuer.Server([]string{"ads.cluster.local"}, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	if err := verify(t, leaf, root.CertPEM(), x509.ExtKeyUsageServerAuth); err != nil {
		t.Error(err)
	}
	if err := verify(t, leaf, root.CertPEM(), x509.ExtKeyUsageClientAuth); err == nil {
		t.Error("a server certificate works for a client")
	}
	if _, err := issuer.Server(nil, time.Hour); err == nil {
		t.Error("a server certificate was issued without a DNS name")
	}
}

func TestWorkload_RSAKeyWithECDSARoot(t *testing.T) {
	root := newRoot(t, KeySpec{})
	leaf, err := NewIssuer(root, KeySpec{Algorithm: RSA}, time.Now).Workload(bookbuyer, trustDomain, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	if key, ok := parse(t, leaf.ChainPEM).PublicKey.(*rsa.PublicKey); !ok || key.N.BitLen() != 2048 {
		t.Error("the key is not RSA with 2048 bits")
	}
	for _, wrong := range []KeySpec{{RSA, 1024}, {ECDSA, 2048}, {"DSA", 0}} {
		if _, err := NewIssuer(root, wrong, time.Now).Workload(bookbuyer, trustDomain, time.Hour); err == nil {
			t.Errorf("%v generated a key, want an error", wrong)
		}
	}
}

func TestWorkload_ChainIncludesIntermediate(t *testing.T) {
	corporate := newRoot(t, KeySpec{})
	key, _ := KeySpec{}.generate()
	template := &x509.Certificate{NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	template.Subject.CommonName = "mesh"
	parent := *corporate.issuing
	parent.MaxPathLenZero, parent.MaxPathLen = false, -1
	der, err := x509.CreateCertificate(rand.Reader, template, &parent, key.Public(), corporate.key)
	if err != nil {
		t.Fatal(err)
	}
	intermediate, _ := x509.ParseCertificate(der)
	root, err := decodeBundle(key, []*x509.Certificate{intermediate})
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := NewIssuer(root, KeySpec{}, time.Now).Workload(bookbuyer, trustDomain, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	chain, err := DecodeCertificates(leaf.ChainPEM)
	if err != nil || len(chain) != 2 || !chain[1].Equal(intermediate) {
		t.Errorf("the chain has %d certificates, want the leaf and the intermediate: %v", len(chain), err)
	}
}
