package peering

import (
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/openservicemesh/osm-operator/internal/mesh/peering"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
)

// recordType is the type in the header of a signed record, so that no other signature of the same key can be taken for one.
const recordType = "osm-peer-record"

// clockSkew is how much the clocks of two meshes may differ.
const clockSkew = 5 * time.Minute

// algorithms are those of the keys of a mesh.
var algorithms = []jose.SignatureAlgorithm{jose.ES256, jose.ES384, jose.PS256}

// sign signs a record with a certificate, whose chain the signature has in its header.
func sign(own *tls.Certificate, record peering.Record) (string, error) {
	payload, err := record.Encode()
	if err != nil {
		return "", err
	}
	chain := lists.Map(own.Certificate, base64.StdEncoding.EncodeToString)
	options := (&jose.SignerOptions{}).WithType(recordType).WithHeader("x5c", chain)
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: algorithmOf(own), Key: own.PrivateKey}, options)
	if err != nil {
		return "", fmt.Errorf("the record %s cannot be signed: %w", record.ResourceName(), err)
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		return "", fmt.Errorf("the record %s cannot be signed: %w", record.ResourceName(), err)
	}
	return signed.CompactSerialize()
}

func algorithmOf(own *tls.Certificate) jose.SignatureAlgorithm {
	switch key := own.PrivateKey.(type) {
	case *rsa.PrivateKey:
		return jose.PS256
	case *ecdsa.PrivateKey:
		if key.Curve.Params().BitSize == 384 {
			return jose.ES384
		}
	}
	return jose.ES256
}

// verifier verifies the records of one peer.
type verifier struct {
	trustDomain string
	// audiences are the trust domains of this mesh.
	audiences []string
	now       time.Time
	// stored accepts certificates that were valid when a record was signed.
	stored bool
}

// verify returns the content of a signed record of the peer with some roots.
func (v verifier) verify(signed string, roots []byte) (peering.Record, error) {
	parsed, err := jose.ParseSignedCompact(signed, algorithms)
	if err != nil {
		return peering.Record{}, reject(ReasonUntrusted, fmt.Errorf("it is not signed: %w", err))
	}
	header := parsed.Signatures[0].Protected
	if header.ExtraHeaders[jose.HeaderType] != recordType {
		return peering.Record{}, reject(ReasonUntrusted, errors.New("its signature is not that of a record"))
	}
	record, decodeErr := peering.Decode(parsed.UnsafePayloadWithoutVerification())
	at := v.now
	if v.stored {
		at = time.Unix(record.IssuedAt, 0)
	}
	if at.After(v.now.Add(clockSkew)) {
		return peering.Record{}, reject(ReasonUntrusted, errors.New("it was signed in the future"))
	}
	leaf, err := certificateOf(header, verification{roots, v.trustDomain, at, x509.ExtKeyUsageServerAuth})
	if err != nil {
		return peering.Record{}, reject(ReasonUntrusted, err)
	}
	if _, err := parsed.Verify(leaf.PublicKey); err != nil {
		return peering.Record{}, reject(ReasonUntrusted, fmt.Errorf("its signature is wrong: %w", err))
	}
	if decodeErr != nil {
		return peering.Record{}, rejectInvalid(decodeErr)
	}
	return record, v.checkEnvelope(record)
}

// certificateOf returns the certificate of a signature.
func certificateOf(header jose.Header, v verification) (*x509.Certificate, error) {
	chains, err := header.Certificates(v.options())
	if err != nil {
		return nil, fmt.Errorf("its certificate does not lead to a root of the peer: %w", err)
	}
	return chains[0][0], checkNames(chains[0][0], v.trustDomain)
}

// checkEnvelope rejects records of other meshes and for other meshes.
func (v verifier) checkEnvelope(record peering.Record) error {
	if record.Issuer != v.trustDomain {
		return reject(ReasonWrongIssuer, fmt.Errorf("its issuer is not %s", v.trustDomain))
	}
	if !slices.Contains(v.audiences, record.Audience) {
		return reject(ReasonWrongAudience, errors.New("it was not made for this mesh"))
	}
	return nil
}
