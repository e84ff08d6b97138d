package signing

import (
	"bytes"
	"fmt"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/sigstore/sigstore/pkg/signature/dsse"
	"github.com/sigstore/sigstore/pkg/signature/payload"

	"github.com/openservicemesh/osm-operator/hack/release/provenance"
)

// Media types and annotations of cosign.
const (
	simpleSigning       types.MediaType = "application/vnd.dev.cosign.simplesigning.v1+json"
	envelope            types.MediaType = "application/vnd.dsse.envelope.v1+json"
	signatureAnnotation                 = "dev.cosignproject.cosign/signature"
	predicateAnnotation                 = "predicateType"
)

// Image returns the image that has the signature of an image or image index. A registry has it under the tag sha256-HASH.sig.
func (s Signer) Image(repository string, digest v1.Hash) (v1.Image, error) {
	reference, err := name.NewDigest(repository + "@" + digest.String())
	if err != nil {
		return nil, err
	}
	content, err := payload.Cosign{Image: reference}.MarshalJSON()
	if err != nil {
		return nil, err
	}
	signature, err := s.Blob(content)
	if err != nil {
		return nil, err
	}
	return wrap(content, simpleSigning, map[string]string{signatureAnnotation: string(signature)})
}

// Attestation returns the image that has the signed provenance of an image or image index. A registry has it under the tag
// sha256-HASH.att.
func (s Signer) Attestation(statement []byte) (v1.Image, error) {
	signed, err := s.Envelope(statement)
	if err != nil {
		return nil, err
	}
	return wrap(signed, envelope, map[string]string{signatureAnnotation: "", predicateAnnotation: provenance.PredicateType})
}

// Envelope returns a statement in a signed DSSE envelope.
func (s Signer) Envelope(statement []byte) ([]byte, error) {
	signed, err := dsse.WrapSigner(s.signer, provenance.PayloadType).SignMessage(bytes.NewReader(statement))
	if err != nil {
		return nil, fmt.Errorf("cannot sign the statement: %w", err)
	}
	return signed, nil
}

// wrap returns an image whose only layer is the content.
func wrap(content []byte, mediaType types.MediaType, annotations map[string]string) (v1.Image, error) {
	base := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	return mutate.Append(base, mutate.Addendum{Layer: static.NewLayer(content, mediaType), Annotations: annotations})
}
