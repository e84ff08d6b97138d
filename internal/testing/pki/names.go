package pki

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
)

// Names are a certificate with any names, as whoever holds the key of an authority can sign it.
type Names struct {
	Authority *Authority
	DNS, URIs []string
	// Expired is true if its validity is over.
	Expired bool
}

// Genuine returns a certificate as a mesh issues it.
func (a *Authority) Genuine(sa identity.ServiceAccount, trustDomain string) Names {
	return Names{Authority: a, DNS: []string{sa.Principal(trustDomain)}, URIs: []string{SPIFFE(sa, trustDomain)}}
}

// SPIFFE returns the URI of an account. The trust domain need not be valid.
func SPIFFE(sa identity.ServiceAccount, trustDomain string) string {
	return "spiffe://" + trustDomain + "/" + sa.Name + "/" + sa.Namespace
}

// WithDNS adds DNS names.
func (n Names) WithDNS(names ...string) Names {
	n.DNS = slices.Concat(n.DNS, names)
	return n
}

// WithURI adds URIs.
func (n Names) WithURI(uris ...string) Names {
	n.URIs = slices.Concat(n.URIs, uris)
	return n
}

// Issue signs the certificate for a new key.
func (n Names) Issue(t testing.TB) []tls.Certificate {
	t.Helper()
	key := newKey(t)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "forged"}, DNSNames: n.DNS,
		NotBefore: time.Now().Add(-2 * time.Minute), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	if n.Expired {
		template.NotAfter = time.Now().Add(-time.Minute)
	}
	for _, text := range n.URIs {
		uri, err := url.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		template.URIs = append(template.URIs, uri)
	}
	return []tls.Certificate{{Certificate: [][]byte{n.Authority.Sign(t, template, key)}, PrivateKey: key}}
}
