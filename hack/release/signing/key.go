package signing

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"

	"github.com/secure-systems-lab/go-securesystemslib/encrypted"
	"github.com/sigstore/sigstore/pkg/cryptoutils"
	"github.com/sigstore/sigstore/pkg/signature"
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
