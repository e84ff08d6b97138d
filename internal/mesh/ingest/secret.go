package ingest

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
)

// GatewayCertificate reads the content of a Secret with the certificate of a listener. An unusable one is an entry with a problem, which names no
// part of the key.
func GatewayCertificate(name entity.Name, data map[string][]byte, now time.Time) *catalog.GatewayCertificate {
	entry := &catalog.GatewayCertificate{Name: name}
	chain, key := data[corev1.TLSCertKey], data[corev1.TLSPrivateKeyKey]
	if len(chain) == 0 || len(key) == 0 {
		entry.Problem = fmt.Sprintf("The Secret %s lacks %s or %s: create it with type %s.", name, corev1.TLSCertKey, corev1.TLSPrivateKeyKey, corev1.SecretTypeTLS)
		return entry
	}
	pair, err := parseKeyPair(chain, key)
	if err != nil {
		entry.Problem = fmt.Sprintf("The Secret %s has no usable certificate: %.300v.", name, err)
		return entry
	}
	entry.ChainPEM, entry.KeyPEM = pair.chainPEM, pair.keyPEM
	if text := pair.invalidAt(now); text != "" {
		entry.Warning = fmt.Sprintf("The Secret %s has a certificate that clients reject: %s.", name, text)
	}
	return entry
}

// authoritiesKey is the key of the authorities in a Secret, as cert-manager writes it, and in a ConfigMap.
const authoritiesKey = "ca.crt"

// EgressCredential reads the content of a Secret with which the egress gateway encrypts requests. An unusable one is an entry with a problem,
// which names no part of a key.
func EgressCredential(name entity.Name, data map[string][]byte) *catalog.EgressCredential {
	entry := &catalog.EgressCredential{Name: name}
	authorities, chain, key := data[authoritiesKey], data[corev1.TLSCertKey], data[corev1.TLSPrivateKeyKey]
	// Envoy uses none of the authorities if it cannot read one of them.
	certificates, err := parseCertificates(authorities, true)
	switch {
	case len(authorities) == 0:
		entry.Problem = fmt.Sprintf("The Secret %s lacks %s: add the certificates of the authorities that the servers have.", name, authoritiesKey)
	case err != nil:
		entry.Problem = fmt.Sprintf("The key %s of the Secret %s cannot be used: %v.", authoritiesKey, name, err)
	case (len(chain) > 0) != (len(key) > 0):
		entry.Problem = fmt.Sprintf("The Secret %s has only one of %s and %s: add the other one, or remove both.", name, corev1.TLSCertKey, corev1.TLSPrivateKeyKey)
	case len(chain) > 0:
		pair, err := parseKeyPair(chain, key)
		if err != nil {
			entry.Problem = fmt.Sprintf("The Secret %s has no usable certificate: %.300v.", name, err)
			return entry
		}
		entry.ChainPEM, entry.KeyPEM = pair.chainPEM, pair.keyPEM
	}
	if entry.Problem == "" {
		entry.AuthoritiesPEM = encodeCertificates(certificates)
	}
	return entry
}

// The blocks of a file in PEM.
const (
	certificateBlock = "CERTIFICATE"
	keyBlock         = "PRIVATE KEY"
)

// Sizes of RSA keys in bits. Envoy rejects smaller ones, and many clients larger ones.
const (
	minRSABits = 2048
	maxRSABits = 8192
)

// keyPair is a certificate with its chain, and its key. Envoy accepts both.
type keyPair struct {
	certificates []*x509.Certificate
	// chainPEM and keyPEM have only what was parsed, without other text.
	chainPEM, keyPEM []byte
}

// parseKeyPair reads a chain and its key. It is as strict as Envoy, which also rejects what crypto/tls skips. A pod of a gateway that rejects a
// certificate does not become ready, so that of one namespace would stop all new pods.
func parseKeyPair(chain, key []byte) (*keyPair, error) {
	pair, err := tls.X509KeyPair(chain, key)
	if err != nil {
		return nil, err
	}
	certificates, err := parseCertificates(chain, false)
	if err != nil {
		return nil, err
	}
	if err := checkKey(pair.PrivateKey); err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		return nil, errors.New("the private key cannot be written as PKCS #8")
	}
	return &keyPair{
		certificates: certificates, chainPEM: encodeCertificates(certificates), keyPEM: pem.EncodeToMemory(&pem.Block{Type: keyBlock, Bytes: der}),
	}, checkLeaf(certificates[0])
}

// checkKey reports what Envoy cannot read in a private key that crypto/tls accepts. An RSA key is valid, because crypto/x509 reads no other one.
func checkKey(key crypto.PrivateKey) error {
	if private, ok := key.(*rsa.PrivateKey); ok && len(private.Primes) != 2 {
		return fmt.Errorf("its RSA key has %d primes, use 2", len(private.Primes))
	}
	return nil
}

// parseCertificates reads the certificates of a file in PEM, at least one. It skips blocks of other types, or with only rejects them.
func parseCertificates(list []byte, only bool) ([]*x509.Certificate, error) {
	var certificates []*x509.Certificate
	for {
		block, rest := pem.Decode(list)
		if block == nil {
			break
		}
		list = rest
		if block.Type != certificateBlock && only {
			return nil, fmt.Errorf("it has a block of the type %.40q, write certificates only", block.Type)
		}
		if block.Type != certificateBlock {
			continue
		}
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("certificate %d: %w", len(certificates)+1, err)
		}
		certificates = append(certificates, certificate)
	}
	switch {
	case bytes.Contains(list, []byte("-----BEGIN")):
		return nil, fmt.Errorf("the block after certificate %d has no end", len(certificates))
	case len(certificates) == 0:
		return nil, errors.New("it has no certificate in PEM")
	}
	return certificates, nil
}

func encodeCertificates(certificates []*x509.Certificate) []byte {
	var out bytes.Buffer
	for _, certificate := range certificates {
		out.Write(pem.EncodeToMemory(&pem.Block{Type: certificateBlock, Bytes: certificate.Raw}))
	}
	return out.Bytes()
}

// checkLeaf reports what Envoy does not support in the certificate of a server or a client.
func checkLeaf(leaf *x509.Certificate) error {
	switch key := leaf.PublicKey.(type) {
	case *rsa.PublicKey:
		if bits := key.N.BitLen(); bits < minRSABits || bits > maxRSABits {
			return fmt.Errorf("its RSA key has %d bits, use %d to %d", bits, minRSABits, maxRSABits)
		}
	case *ecdsa.PublicKey:
		if !slices.Contains([]elliptic.Curve{elliptic.P256(), elliptic.P384(), elliptic.P521()}, key.Curve) {
			return fmt.Errorf("its key has the curve %s, use P-256, P-384 or P-521", key.Curve.Params().Name)
		}
		if leaf.KeyUsage != 0 && leaf.KeyUsage&x509.KeyUsageDigitalSignature == 0 {
			return errors.New("its key usage lacks digitalSignature")
		}
	}
	if requiresStapling(leaf) {
		return errors.New("it requires OCSP stapling, which the gateway does not support, request it without \"must staple\"")
	}
	return nil
}

// requiresStapling reports whether a certificate has the TLS feature status_request (RFC 7633).
func requiresStapling(leaf *x509.Certificate) bool {
	const statusRequest = 5
	for _, extension := range leaf.Extensions {
		if !extension.Id.Equal(asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 24}) {
			continue
		}
		var features []int
		if _, err := asn1.Unmarshal(extension.Value, &features); err != nil || slices.Contains(features, statusRequest) {
			return true
		}
	}
	return false
}

// invalidAt describes the first certificate that is not valid at a time; empty if all are.
func (p *keyPair) invalidAt(now time.Time) string {
	for i, certificate := range p.certificates {
		switch {
		case now.After(certificate.NotAfter):
			return fmt.Sprintf("certificate %d expired at %s, renew it", i+1, certificate.NotAfter.Format(time.RFC3339))
		case now.Before(certificate.NotBefore):
			return fmt.Sprintf("certificate %d is not valid before %s, check the clock of its issuer", i+1, certificate.NotBefore.Format(time.RFC3339))
		}
	}
	return ""
}
