package ingest

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"

	"github.com/openservicemesh/osm-operator/internal/catalog"
)

// authoritiesKey is the key of the authorities in a Secret, as cert-manager writes it.
const authoritiesKey = "ca.crt"

// EgressCredential reads the content of a Secret with which the egress gateway encrypts requests. An unusable one is an entry with a problem,
// which names no part of a key.
func EgressCredential(name catalog.Name, data map[string][]byte) *catalog.EgressCredential {
	entry := &catalog.EgressCredential{Name: name}
	authorities, chain, key := data[authoritiesKey], data[corev1.TLSCertKey], data[corev1.TLSPrivateKeyKey]
	switch err := checkCertificates(authorities); {
	case len(authorities) == 0:
		entry.Problem = fmt.Sprintf("The Secret %s lacks %s: add the certificates of the authorities that the servers have.", name, authoritiesKey)
	case err != nil:
		entry.Problem = fmt.Sprintf("The key %s of the Secret %s cannot be used: %v.", authoritiesKey, name, err)
	case (len(chain) > 0) != (len(key) > 0):
		entry.Problem = fmt.Sprintf("The Secret %s has only one of %s and %s: add the other one, or remove both.", name, corev1.TLSCertKey, corev1.TLSPrivateKeyKey)
	case len(chain) > 0:
		if _, err := tls.X509KeyPair(chain, key); err != nil {
			entry.Problem = fmt.Sprintf("The Secret %s has no usable certificate: %v.", name, err)
		}
	}
	if entry.Problem == "" {
		entry.AuthoritiesPEM, entry.ChainPEM, entry.KeyPEM = authorities, chain, key
	}
	return entry
}

// checkCertificates reports why a list of certificates in PEM cannot be used. Envoy uses none of them if one is invalid.
func checkCertificates(list []byte) error {
	count := 0
	for {
		var block *pem.Block
		if block, list = pem.Decode(list); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			return fmt.Errorf("it has a block of the type %.40q, write certificates only", block.Type)
		}
		if _, err := x509.ParseCertificate(block.Bytes); err != nil {
			return fmt.Errorf("certificate %d: %w", count+1, err)
		}
		count++
	}
	if count == 0 {
		return errors.New("it has no certificate in PEM")
	}
	return nil
}
