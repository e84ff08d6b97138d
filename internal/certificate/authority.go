package certificate

import (
	"crypto/x509"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
)

// Keys of a Secret with a certificate authority. A Secret in OSM's form has no ChainKey.
const (
	// TrustKey has the trusted certificates.
	TrustKey = "ca.crt"
	// ChainKey has the issuing certificate, followed by the intermediate certificates that lead to a trusted one.
	ChainKey = "tls.crt"
	// SignerKey has the private key of the issuing certificate.
	SignerKey = "private.key"
	// DomainsKey has the trust domains of the mesh. A Secret in OSM's form does not have it.
	DomainsKey = "trust-domains.json"
	// ExternalIssuerKey has the issuer of cert-manager that issues the certificates of workloads, if the authority does not.
	ExternalIssuerKey = "workload-issuer.json"
)

// Encode returns the content of a Secret with this authority, which Decode reads.
func (r *Root) Encode() (map[string][]byte, error) {
	key, err := r.KeyPEM()
	if err != nil {
		return nil, err
	}
	chain := r.chain
	if len(chain) == 0 {
		chain = []*x509.Certificate{r.issuing}
	}
	content := map[string][]byte{TrustKey: r.CertPEM(), ChainKey: encodeCertificates(chain...), SignerKey: key}
	if !r.domains.IsZero() {
		if content[DomainsKey], err = r.domains.Encode(); err != nil {
			return nil, err
		}
	}
	if r.external != nil {
		if content[ExternalIssuerKey], err = json.Marshal(r.external); err != nil {
			return nil, err
		}
	}
	return content, nil
}

// Decode parses an authority from the content of a Secret. The validity of its issuing certificate is not checked; see Valid.
func Decode(data map[string][]byte) (*Root, error) {
	root, err := decodeAuthority(data)
	if err != nil {
		return nil, err
	}
	if text := data[DomainsKey]; len(text) > 0 {
		domains, err := identity.DecodeTrustDomains(text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", DomainsKey, err)
		}
		root = root.In(domains)
	}
	if text := data[ExternalIssuerKey]; len(text) > 0 {
		external, err := decodeExternalIssuer(text)
		if err != nil {
			return nil, err
		}
		root = root.IssuedBy(external)
	}
	return root, nil
}

func decodeAuthority(data map[string][]byte) (*Root, error) {
	key, err := decodeKey(data[SignerKey])
	if err != nil {
		return nil, fmt.Errorf("%s: %w", SignerKey, err)
	}
	trusted, err := DecodeCertificates(data[TrustKey])
	if err != nil {
		return nil, fmt.Errorf("%s: %w", TrustKey, err)
	}
	if len(data[ChainKey]) == 0 {
		return decodeBundle(key, trusted)
	}
	chain, err := DecodeCertificates(data[ChainKey])
	if err != nil {
		return nil, fmt.Errorf("%s: %w", ChainKey, err)
	}
	return NewAuthority(key, chain, trusted)
}

// Valid reports why the authority cannot issue certificates at now, or nil.
func (r *Root) Valid(now time.Time) error { return validateAuthority(r.issuing, now) }

// Trusting returns the same authority with another trust bundle, for example that of two roots.
func (r *Root) Trusting(bundle []*x509.Certificate) *Root {
	changed := *r
	changed.trusted = bundle
	return &changed
}

// In returns the same authority in other trust domains.
func (r *Root) In(domains identity.TrustDomains) *Root {
	changed := *r
	changed.domains = domains
	return &changed
}

// TrustDomains returns the trust domains of the mesh; zero if they are not known.
func (r *Root) TrustDomains() identity.TrustDomains { return r.domains }

// Trusted returns the trusted certificates.
func (r *Root) Trusted() []*x509.Certificate { return slices.Clone(r.trusted) }

// Anchor returns the fingerprint of the trusted certificate to which the chain of the authority leads; empty if it is none of them.
func (r *Root) Anchor() string {
	if anchors := r.anchors(); len(anchors) > 0 {
		return fingerprint(anchors[0])
	}
	return ""
}

// anchors returns the trusted certificates to which the chain of the authority leads.
func (r *Root) anchors() []*x509.Certificate {
	last := r.issuing
	if len(r.chain) > 0 {
		last = r.chain[len(r.chain)-1]
	}
	return slices.DeleteFunc(slices.Clone(r.trusted), func(c *x509.Certificate) bool {
		return !c.Equal(last) && last.CheckSignatureFrom(c) != nil
	})
}

// Expired reports whether no peer accepts certificates of the authority any more: it has expired, or an authority above it has. An authority
// that is not valid yet, because a clock is wrong, has peers that accept it.
func (r *Root) Expired(now time.Time) bool {
	hasExpired := func(c *x509.Certificate) bool { return !now.Before(c.NotAfter) }
	anchors := r.anchors()
	return hasExpired(r.issuing) || slices.ContainsFunc(r.chain, hasExpired) ||
		len(anchors) > 0 && !slices.ContainsFunc(anchors, func(c *x509.Certificate) bool { return !hasExpired(c) })
}

// Issued reports whether this authority has issued a certificate.
func (r *Root) Issued(c *x509.Certificate) bool { return c.CheckSignatureFrom(r.issuing) == nil }

// Merge returns the trust bundle as PEM, followed by the certificates of a PEM text that it does not have. A text without readable
// certificates adds nothing.
func (r *Root) Merge(text []byte) []byte {
	others, err := DecodeCertificates(text)
	if err != nil {
		return r.CertPEM()
	}
	bundle := r.Trusted()
	for _, c := range others {
		bundle = appendDistinct(bundle, c)
	}
	return encodeCertificates(bundle...)
}

// IssuedAt returns when a certificate was issued. Certificates are backdated.
func IssuedAt(c *x509.Certificate) time.Time { return c.NotBefore.Add(backdate) }

// Path returns the certificates from the issuing one to the trusted one to which it leads.
func (r *Root) Path() []*x509.Certificate {
	path := slices.Clone(r.chain)
	if len(path) == 0 {
		path = append(path, r.issuing)
	}
	if anchors := r.anchors(); len(anchors) > 0 && !anchors[0].Equal(path[len(path)-1]) {
		path = append(path, anchors[0])
	}
	return path
}
