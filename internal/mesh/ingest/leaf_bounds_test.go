package ingest

import (
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"testing"
)

// TestSizesOfRSAKeys checks the limits of keys in certificates.
func TestSizesOfRSAKeys(t *testing.T) {
	for bits, usable := range map[uint]bool{2047: false, 2048: true, 8192: true, 8193: false} {
		leaf := &x509.Certificate{PublicKey: &rsa.PublicKey{N: new(big.Int).Lsh(big.NewInt(1), bits-1), E: 65537}}
		if err := checkLeaf(leaf); (err == nil) != usable {
			t.Errorf("%d bits: %v, want usable %t", bits, err, usable)
		}
	}
}

// TestRequiresStapling checks which features of TLS in a certificate require OCSP stapling. Unreadable ones may.
func TestRequiresStapling(t *testing.T) {
	features := asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 24}
	for name, test := range map[string]struct {
		id    asn1.ObjectIdentifier
		value []byte
		want  bool
	}{
		"status_request":    {features, []byte{0x30, 3, 2, 1, 5}, true},
		"a second feature":  {features, []byte{0x30, 6, 2, 1, 17, 2, 1, 5}, true},
		"another feature":   {features, []byte{0x30, 3, 2, 1, 17}, false},
		"no feature":        {features, []byte{0x30, 0}, false},
		"something else":    {features, []byte{2, 1, 5}, true},
		"another extension": {asn1.ObjectIdentifier{1, 2, 3}, []byte{0x30, 3, 2, 1, 5}, false},
	} {
		leaf := &x509.Certificate{Extensions: []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 2, 4}}, {Id: test.id, Value: test.value}}}
		if got := requiresStapling(leaf); got != test.want {
			t.Errorf("%s requires stapling: %t, want %t", name, got, test.want)
		}
	}
}
