package signing

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"io"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/secure-systems-lab/go-securesystemslib/encrypted"
	"github.com/sigstore/sigstore/pkg/cryptoutils"
	"github.com/sigstore/sigstore/pkg/signature"
	"github.com/sigstore/sigstore/pkg/signature/dsse"
	"github.com/sigstore/sigstore/pkg/signature/payload"

	"github.com/openservicemesh/osm-operator/hack/release/provenance"
)

const password = "correct"

// newKey returns a key as PKCS #8 in PEM.
func newKey(t *testing.T) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

// seal encrypts a key as `cosign generate-key-pair` does.
func seal(t *testing.T, key []byte) []byte {
	t.Helper()
	block, _ := pem.Decode(key)
	sealed, err := encrypted.Encrypt(block.Bytes, []byte(password))
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED SIGSTORE PRIVATE KEY", Bytes: sealed})
}

// verifierOf returns a verifier that knows only the public key.
func verifierOf(t *testing.T, s Signer) signature.Verifier {
	t.Helper()
	text, err := s.PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	public, err := cryptoutils.UnmarshalPEMToPublicKey(text)
	if err != nil {
		t.Fatal(err)
	}
	verifier, err := signature.LoadVerifier(public, crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	return verifier
}

func load(t *testing.T, key []byte) Signer {
	t.Helper()
	s, err := Load(key, password)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// changed returns the content with one other bit.
func changed(content []byte) []byte {
	other := bytes.Clone(content)
	other[len(other)/2] ^= 1
	return other
}

func TestSignatureOfAFileIsVerifiedWithThePublicKey(t *testing.T) {
	plain := newKey(t)
	sealed := seal(t, plain)
	content := []byte("0123  osm-v1.tar.gz\n")
	for name, key := range map[string][]byte{"encrypted": sealed, "plain": plain} {
		s := load(t, key)
		encoded, err := s.Blob(content)
		if err != nil {
			t.Fatal(err)
		}
		signature, err := base64.StdEncoding.DecodeString(string(encoded))
		if err != nil {
			t.Fatal(err)
		}
		verify := func(signature, content []byte) error {
			return verifierOf(t, s).VerifySignature(bytes.NewReader(signature), bytes.NewReader(content))
		}
		if err := verify(signature, content); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if verify(signature, changed(content)) == nil || verify(changed(signature), content) == nil {
			t.Errorf("%s: a changed byte is accepted", name)
		}
	}
	if _, err := Load(sealed, "wrong"); err == nil || !strings.Contains(err.Error(), "COSIGN_PASSWORD") {
		t.Errorf("with another password, the error is %v", err)
	}
}

// onlyLayer returns the content and the annotations of the only layer.
func onlyLayer(t *testing.T, img v1.Image) ([]byte, map[string]string) {
	t.Helper()
	manifest, err := img.Manifest()
	if err != nil || len(manifest.Layers) != 1 {
		t.Fatalf("%+v (%v)", manifest, err)
	}
	layers, err := img.Layers()
	if err != nil {
		t.Fatal(err)
	}
	packed, err := layers[0].Compressed()
	if err != nil {
		t.Fatal(err)
	}
	content, err := io.ReadAll(packed)
	if err != nil {
		t.Fatal(err)
	}
	return content, manifest.Layers[0].Annotations
}

func TestSignatureOfAnImageIsForItsDigest(t *testing.T) {
	key := newKey(t)
	s := load(t, key)
	digest := v1.Hash{Algorithm: "sha256", Hex: strings.Repeat("01", 32)}
	img, err := s.Image("docker.io/openservicemesh/init", digest)
	if err != nil {
		t.Fatal(err)
	}
	content, annotations := onlyLayer(t, img)
	var signed payload.Cosign
	if err := json.Unmarshal(content, &signed); err != nil || signed.Image.DigestStr() != digest.String() {
		t.Errorf("the payload is for %s (%v)", signed.Image, err)
	}
	raw, err := base64.StdEncoding.DecodeString(annotations["dev.cosignproject.cosign/signature"])
	if err != nil {
		t.Fatal(err)
	}
	verifier := verifierOf(t, s)
	if err := verifier.VerifySignature(bytes.NewReader(raw), bytes.NewReader(content)); err != nil {
		t.Error(err)
	}
	if verifier.VerifySignature(bytes.NewReader(raw), bytes.NewReader(changed(content))) == nil {
		t.Error("a changed payload is accepted")
	}
}

func TestAttestationIsAVerifiableEnvelope(t *testing.T) {
	key := newKey(t)
	s := load(t, key)
	img, err := s.Attestation([]byte(`{"_type":"https://in-toto.io/Statement/v1"}`))
	if err != nil {
		t.Fatal(err)
	}
	content, annotations := onlyLayer(t, img)
	if annotations["predicateType"] != provenance.PredicateType {
		t.Errorf("the annotations are %v", annotations)
	}
	verifier := dsse.WrapVerifier(verifierOf(t, s))
	if err := verifier.VerifySignature(bytes.NewReader(content), nil); err != nil {
		t.Error(err)
	}
	other := bytes.Replace(content, []byte(base64.StdEncoding.EncodeToString([]byte(`{"_typ`))), []byte(base64.StdEncoding.EncodeToString([]byte(`{"_tip`))), 1)
	if bytes.Equal(other, content) || verifier.VerifySignature(bytes.NewReader(other), nil) == nil {
		t.Error("a changed statement is accepted")
	}
	if otherKey := newKey(t); dsse.WrapVerifier(verifierOf(t, load(t, otherKey))).VerifySignature(bytes.NewReader(content), nil) == nil {
		t.Error("the signature of another key is accepted")
	}
}

func TestUnusableKeysAreReported(t *testing.T) {
	for want, key := range map[string][]byte{
		"cosign generate-key-pair": []byte("secret"),
		"cannot parse":             pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte("x")}),
	} {
		if _, err := Load(key, ""); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the error is %v, want %q in it", err, want)
		}
	}
}
