package certificate

import (
	"crypto/x509"
	"encoding/pem"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
)

const trustDomain = "cluster.local"

var bookbuyer = identity.ServiceAccount{Namespace: "bookbuyer", Name: "bookbuyer"}

func newRoot(t *testing.T, key KeySpec) *Root {
	t.Helper()
	root, err := NewRoot(key, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return root
}

// parse parses the first certificate of a PEM text.
func parse(t *testing.T, text []byte) *x509.Certificate {
	t.Helper()
	certificates, err := DecodeCertificates(text)
	if err != nil {
		t.Fatal(err)
	}
	return certificates[0]
}

// verify checks a leaf against a trust bundle, as a peer does.
func verify(t *testing.T, leaf Certificate, bundle []byte, usage x509.ExtKeyUsage) error {
	t.Helper()
	roots, intermediates := x509.NewCertPool(), x509.NewCertPool()
	if !roots.AppendCertsFromPEM(bundle) {
		t.Fatal("the bundle has no certificate")
	}
	if _, rest := pem.Decode(leaf.ChainPEM); len(rest) > 0 {
		intermediates.AppendCertsFromPEM(rest)
	}
	_, err := parse(t, leaf.ChainPEM).Verify(x509.VerifyOptions{
		Roots: roots, Intermediates: intermediates, CurrentTime: time.Now(), KeyUsages: []x509.ExtKeyUsage{usage},
	})
	return err
}
