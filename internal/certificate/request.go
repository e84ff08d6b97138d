package certificate

import (
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"slices"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
)

// NewRequest generates a key and a certificate signing request for an authority, both as PEM.
func NewRequest(key KeySpec, commonName string) (request, keyPEM []byte, err error) {
	signer, err := key.generate()
	if err != nil {
		return nil, nil, err
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: commonName}}, signer)
	if err != nil {
		return nil, nil, fmt.Errorf("the certificate signing request of %s cannot be signed: %w", commonName, err)
	}
	if keyPEM, err = encodeKey(signer); err != nil {
		return nil, nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}), keyPEM, nil
}

// SplitChain divides the certificates of PEM texts into those of a chain and the self-signed ones, without duplicates.
func SplitChain(texts ...string) (chain, roots []byte, err error) {
	var intermediates, anchors []*x509.Certificate
	for _, text := range texts {
		certificates, err := DecodeCertificates([]byte(text))
		if err != nil {
			return nil, nil, err
		}
		for _, c := range certificates {
			if isSelfSigned(c) {
				anchors = appendDistinct(anchors, c)
			} else {
				intermediates = appendDistinct(intermediates, c)
			}
		}
	}
	return encodeCertificates(intermediates...), encodeCertificates(anchors...), nil
}

func appendDistinct(list []*x509.Certificate, c *x509.Certificate) []*x509.Certificate {
	if slices.ContainsFunc(list, c.Equal) {
		return list
	}
	return append(list, c)
}

// Info describes a workload's certificate without its private key.
type Info struct {
	Workload identity.ServiceAccount
	// ChainPEM is the certificate, followed by those of its issuers.
	ChainPEM []byte
	NotAfter time.Time
	// Generation is the generation of the root that issued it.
	Generation string
	// RenewAt is the time of the next renewal.
	RenewAt time.Time
}

// List returns all certificates of the Manager, sorted by workload.
func (m *Manager) List() []Info {
	m.mu.Lock()
	defer m.mu.Unlock()
	var list []Info
	for sa, e := range m.entries {
		if e.issued() {
			list = append(list, Info{sa, e.leaf.ChainPEM, e.leaf.NotAfter, e.leaf.Generation, e.renewAt})
		}
	}
	slices.SortFunc(list, func(a, b Info) int { return a.Workload.Compare(b.Workload) })
	return list
}

// Description describes a certificate of an authority.
type Description struct {
	// Fingerprint is a short hash of the certificate, like Root.Generation.
	Fingerprint string
	Subject     string
	NotAfter    time.Time
}

// DescribeIssuer describes the issuing certificate.
func (r *Root) DescribeIssuer() Description { return describe(r.issuing) }

// DescribeTrusted describes the trusted certificates, in their order.
func (r *Root) DescribeTrusted() []Description {
	return lists.Map(r.trusted, describe)
}

func describe(c *x509.Certificate) Description {
	return Description{Fingerprint: fingerprint(c), Subject: c.Subject.String(), NotAfter: c.NotAfter}
}
