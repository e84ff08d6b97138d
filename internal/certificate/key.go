package certificate

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
)

// Algorithm is the algorithm of a private key. The values are those of the Mesh object.
type Algorithm string

// Supported algorithms.
const (
	ECDSA Algorithm = "ECDSA"
	RSA   Algorithm = "RSA"
)

// KeySpec describes a private key to generate. The zero value means ECDSA P-256.
type KeySpec struct {
	// Algorithm is ECDSA by default.
	Algorithm Algorithm
	// Bits is 256 (default) or 384 for ECDSA; 2048 (default) to 4096 for RSA.
	Bits int
}

// generate generates a private key from the system's random source.
func (k KeySpec) generate() (crypto.Signer, error) {
	switch {
	case (k.Algorithm == "" || k.Algorithm == ECDSA) && (k.Bits == 0 || k.Bits == 256):
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case (k.Algorithm == "" || k.Algorithm == ECDSA) && k.Bits == 384:
		return ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case k.Algorithm == RSA && k.Bits == 0:
		return rsa.GenerateKey(rand.Reader, 2048)
	case k.Algorithm == RSA && k.Bits >= 2048 && k.Bits <= 4096:
		return rsa.GenerateKey(rand.Reader, k.Bits)
	}
	return nil, fmt.Errorf("a key with algorithm %q and %d bits cannot be generated: use ECDSA with 256 or 384 bits, or RSA with 2048 to 4096", k.Algorithm, k.Bits)
}

// encodeKey encodes a private key as PKCS #8 PEM.
func encodeKey(key crypto.Signer) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("the private key cannot be encoded: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

// decodeKey decodes the first private key of a PEM text, in PKCS #8, PKCS #1 or SEC 1 form. It skips other blocks, such
// as the "EC PARAMETERS" of openssl.
func decodeKey(text []byte) (crypto.Signer, error) {
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		var key any
		var err error
		switch block.Type {
		case "PRIVATE KEY":
			key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
		case "RSA PRIVATE KEY":
			key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
		case "EC PRIVATE KEY":
			key, err = x509.ParseECPrivateKey(block.Bytes)
		case "ENCRYPTED PRIVATE KEY":
			return nil, fmt.Errorf("the private key is encrypted: store it without a passphrase")
		default:
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("the PEM block %q is not a readable private key: %w", block.Type, err)
		}
		switch key := key.(type) {
		case *ecdsa.PrivateKey:
			return key, nil
		case *rsa.PrivateKey:
			return key, nil
		}
		return nil, fmt.Errorf("the private key has an unsupported algorithm: use ECDSA or RSA")
	}
	return nil, fmt.Errorf("there is no private key in the PEM text: expected a block \"PRIVATE KEY\", \"RSA PRIVATE KEY\" or \"EC PRIVATE KEY\"")
}

// encodeCertificates encodes certificates as PEM.
func encodeCertificates(certificates ...*x509.Certificate) []byte {
	var text []byte
	for _, c := range certificates {
		text = append(text, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})...)
	}
	return text
}

// DecodeCertificates decodes all certificates of a PEM text. It returns an error if there are none.
func DecodeCertificates(text []byte) ([]*x509.Certificate, error) {
	var all []*x509.Certificate
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("certificate %d of the PEM text is not readable: %w", len(all)+1, err)
		}
		all = append(all, c)
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("there is no certificate in the PEM text: expected a block \"CERTIFICATE\"")
	}
	return all, nil
}
