package certificate

import (
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
)

// ExternalIssuer is an issuer of cert-manager that issues each certificate of a workload.
type ExternalIssuer struct {
	Name  string `json:"name"`
	Kind  string `json:"kind"`
	Group string `json:"group"`
}

// Requester requests certificates of external issuers. It is safe for concurrent use.
type Requester interface {
	// Request returns the chain (PEM) for a certificate signing request (PEM) of a workload.
	Request(issuer ExternalIssuer, workload identity.ServiceAccount, csr []byte, lifetime time.Duration) ([]byte, error)
}

// DeniedError reports that an issuer denied the certificate of one workload, for example because of a policy.
type DeniedError struct {
	Message string
}

func (e *DeniedError) Error() string { return e.Message }

// isDenied reports whether an error means that the issuer answers.
func isDenied(err error) bool {
	var denied *DeniedError
	return errors.As(err, &denied)
}

// IssuedBy returns the same authority with an issuer of workload certificates; nil if the authority issues them itself. The authority continues
// to issue the certificates of servers.
func (r *Root) IssuedBy(external *ExternalIssuer) *Root {
	changed := *r
	changed.external = external
	return &changed
}

// ExternalIssuer returns the issuer of workload certificates; nil if the authority issues them itself.
func (r *Root) ExternalIssuer() *ExternalIssuer { return r.external }

// SameExternalIssuer reports whether two authorities have the same issuer of workload certificates.
func SameExternalIssuer(a, b *Root) bool {
	if a.external == nil || b.external == nil {
		return a.external == b.external
	}
	return *a.external == *b.external
}

func decodeExternalIssuer(text []byte) (*ExternalIssuer, error) {
	external := &ExternalIssuer{}
	if err := json.Unmarshal(text, external); err != nil {
		return nil, fmt.Errorf("%s: %w", ExternalIssuerKey, err)
	}
	if external.Name == "" {
		return nil, fmt.Errorf("%s: the issuer has no name", ExternalIssuerKey)
	}
	return external, nil
}

// request has the certificate of a workload issued by the external issuer of an authority. Its key does not leave this process.
func (i *Issuer) request(requester Requester, sa identity.ServiceAccount, trustDomain string, lifetime time.Duration) (Certificate, error) {
	if requester == nil {
		return Certificate{}, errors.New("no certificates can be requested of cert-manager")
	}
	spiffeID, err := sa.SPIFFE(trustDomain)
	if err != nil {
		return Certificate{}, err
	}
	key, err := i.key.generate()
	if err != nil {
		return Certificate{}, err
	}
	template := &x509.CertificateRequest{DNSNames: []string{sa.Principal(trustDomain)}, URIs: []*url.URL{spiffeID}}
	if len(template.DNSNames[0]) <= maxCommonName {
		template.Subject = pkix.Name{CommonName: template.DNSNames[0]}
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, template, key)
	if err != nil {
		return Certificate{}, fmt.Errorf("the certificate signing request of %s cannot be signed: %w", sa, err)
	}
	answer, err := requester.Request(*i.root.external, sa, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}), lifetime)
	if err != nil {
		return Certificate{}, err
	}
	chain, err := DecodeCertificates(answer)
	if err == nil {
		err = i.verifyIssued(chain, template, key.Public())
	}
	if err != nil {
		return Certificate{}, fmt.Errorf("the certificate that cert-manager has issued for %s cannot be used: %w", sa, err)
	}
	keyPEM, err := encodeKey(key)
	if err != nil {
		return Certificate{}, err
	}
	return Certificate{
		ChainPEM: encodeCertificates(slices.DeleteFunc(chain, isSelfSigned)...), KeyPEM: keyPEM, NotAfter: chain[0].NotAfter,
		Generation: i.root.Generation(), TrustDomain: trustDomain,
	}, nil
}

// verifyIssued reports why peers would reject a chain, or accept it for more than was requested. It must lead to the root of the active authority: peers
// may not trust another one yet.
func (i *Issuer) verifyIssued(chain []*x509.Certificate, requested *x509.CertificateRequest, public crypto.PublicKey) error {
	leaf := chain[0]
	key, ok := leaf.PublicKey.(interface{ Equal(crypto.PublicKey) bool })
	switch {
	case !ok || !key.Equal(public):
		return errors.New("it has another key")
	case leaf.IsCA:
		return errors.New("it is a certificate authority")
	case !slices.Equal(leaf.DNSNames, requested.DNSNames) || len(leaf.URIs) != 1 || leaf.URIs[0].String() != requested.URIs[0].String() ||
		len(leaf.IPAddresses) > 0 || len(leaf.EmailAddresses) > 0:
		return fmt.Errorf("it has the names %v and %v, requested were %v and %v", leaf.DNSNames, leaf.URIs, requested.DNSNames, requested.URIs)
	}
	roots, intermediates := x509.NewCertPool(), x509.NewCertPool()
	for k, c := range i.root.trusted {
		if i.root.Anchors()[k] == i.root.Anchor() {
			roots.AddCert(c)
		}
	}
	for _, c := range chain[1:] {
		intermediates.AddCert(c)
	}
	for _, usage := range []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth} {
		options := x509.VerifyOptions{Roots: roots, Intermediates: intermediates, CurrentTime: i.now(), KeyUsages: []x509.ExtKeyUsage{usage}}
		if _, err := leaf.Verify(options); err != nil {
			return err
		}
	}
	return nil
}
