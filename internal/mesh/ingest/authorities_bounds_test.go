package ingest

import (
	"bytes"
	"crypto/ed25519"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"strings"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/testing/pki"
)

// TestMostAuthorities checks that authorities may have exactly the maximum size.
func TestMostAuthorities(t *testing.T) {
	key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	certificate := func(size int) []byte {
		return pki.SelfSigned(t, key, func(c *x509.Certificate) {
			c.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 2, 3}, Value: make([]byte, size)}}
		}).Chain
	}
	// The size of a certificate in PEM is not any number, so two of them must add up.
	var most []byte
	for first := 20_000; len(most) != catalog.MaxAuthoritiesBytes && first < 20_200; first += 3 {
		for second := 27_700; len(most) != catalog.MaxAuthoritiesBytes && second < 27_900; second += 3 {
			most = append(certificate(first), certificate(second)...)
		}
	}
	if len(most) != catalog.MaxAuthoritiesBytes {
		t.Fatalf("no two certificates have %d bytes", catalog.MaxAuthoritiesBytes)
	}
	name := entity.Name{Namespace: "shop", Name: "ca"}
	if got := GatewayAuthorities(name, map[string]string{"ca.crt": string(most)}); got.Problem != "" || !bytes.Equal(got.PEM, most) {
		t.Errorf("%d bytes of authorities: problem %q", len(most), got.Problem)
	}
	if got := GatewayAuthorities(name, map[string]string{"ca.crt": string(most) + string(certificate(1))}); !strings.Contains(got.Problem, "use fewer authorities") {
		t.Errorf("more authorities: problem %q", got.Problem)
	}
}
