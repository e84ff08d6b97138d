package peering

import (
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

var (
	errUnknownPeer   = errors.New("the server name is that of no peer")
	errNoCertificate = errors.New("there is no certificate")
)

// maxChain is how many certificates of a chain are read. Chains of a mesh have up to three.
const maxChain = 8

// verification is how a chain of certificates is verified.
type verification struct {
	roots       []byte
	trustDomain string
	at          time.Time
	usage       x509.ExtKeyUsage
}

// options returns the options for the chain, without intermediate certificates.
func (v verification) options() x509.VerifyOptions {
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(v.roots)
	return x509.VerifyOptions{Roots: roots, CurrentTime: v.at, KeyUsages: []x509.ExtKeyUsage{v.usage}}
}

// verifyChain returns an error unless a chain leads to one of the roots and is that of the control plane of the trust domain.
func verifyChain(chain []*x509.Certificate, v verification) error {
	if len(chain) == 0 || len(chain) > maxChain {
		return errNoCertificate
	}
	options := v.options()
	options.Intermediates = x509.NewCertPool()
	for _, c := range chain[1:] {
		options.Intermediates.AddCert(c)
	}
	if _, err := chain[0].Verify(options); err != nil {
		return fmt.Errorf("the certificate does not lead to a root of the peer: %w", err)
	}
	return checkNames(chain[0], v.trustDomain)
}

// checkNames returns an error unless a certificate has the name of the control plane of a trust domain, and no name outside of it.
func checkNames(c *x509.Certificate, trustDomain string) error {
	own := names.ADSCommonName(trustDomain)
	if !slices.Contains(c.DNSNames, own) {
		return fmt.Errorf("the certificate does not have the name %s", own)
	}
	for _, name := range c.DNSNames {
		if !strings.HasSuffix(name, "."+trustDomain) {
			return fmt.Errorf("the certificate has a name outside the trust domain %s", trustDomain)
		}
	}
	for _, uri := range c.URIs {
		if uri.Scheme != "spiffe" || uri.Host != trustDomain {
			return fmt.Errorf("the certificate has a URI outside the trust domain %s", trustDomain)
		}
	}
	if len(c.IPAddresses) > 0 || len(c.EmailAddresses) > 0 {
		return errors.New("the certificate has addresses")
	}
	return nil
}
