package signing

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/secure-systems-lab/go-securesystemslib/encrypted"
	"github.com/sigstore/sigstore/pkg/cryptoutils"
	"github.com/sigstore/sigstore/pkg/signature"
	"github.com/sigstore/sigstore/pkg/signature/dsse"
	"github.com/sigstore/sigstore/pkg/signature/payload"

	"github.com/openservicemesh/osm-operator/hack/release/provenance"
)

// Types of PEM blocks with encrypted keys that cosign has written.
var encryptedTypes = map[string]bool{"ENCRYPTED SIGSTORE PRIVATE KEY": true, "ENCRYPTED COSIGN PRIVATE KEY": true}

// Signer signs with one key.
type Signer struct{ signer signature.SignerVerifier }

// Load parses a private key. The password is for encrypted keys.
func Load(content []byte, password string) (Signer, error) {
	key, err := parse(content, password)
	if err != nil {
		return Signer{}, err
	}
	signer, err := signature.LoadSignerVerifier(key, crypto.SHA256)
	if err != nil {
		return Signer{}, fmt.Errorf("cannot sign with this key: %w", err)
	}
	return Signer{signer}, nil
}

func parse(content []byte, password string) (crypto.PrivateKey, error) {
	block, _ := pem.Decode(content)
	if block == nil {
		return nil, errors.New("the key is not in PEM format: create one with `cosign generate-key-pair`")
	}
	if !encryptedTypes[block.Type] {
		key, err := cryptoutils.UnmarshalPEMToPrivateKey(content, cryptoutils.SkipPassword)
		if err != nil {
			return nil, fmt.Errorf("cannot parse the private key: %w", err)
		}
		return key, nil
	}
	plain, err := encrypted.Decrypt(block.Bytes, []byte(password))
	if err != nil {
		return nil, fmt.Errorf("cannot decrypt the private key: set the variable COSIGN_PASSWORD to its password: %w", err)
	}
	key, err := x509.ParsePKCS8PrivateKey(plain)
	if err != nil {
		return nil, fmt.Errorf("cannot parse the private key: %w", err)
	}
	return key, nil
}

// PublicKey returns the public key in PEM format.
func (s Signer) PublicKey() ([]byte, error) {
	key, err := s.signer.PublicKey()
	if err != nil {
		return nil, err
	}
	return cryptoutils.MarshalPublicKeyToPEM(key)
}

// Blob returns the signature of a file in base64, as `cosign sign-blob` prints it.
func (s Signer) Blob(content []byte) ([]byte, error) {
	raw, err := s.signer.SignMessage(bytes.NewReader(content))
	if err != nil {
		return nil, fmt.Errorf("cannot sign: %w", err)
	}
	return []byte(base64.StdEncoding.EncodeToString(raw)), nil
}

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
