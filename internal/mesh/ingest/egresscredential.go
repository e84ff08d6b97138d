package ingest

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
)

// authoritiesKey is the key of the authorities in a Secret, as cert-manager writes it.
const authoritiesKey = "ca.crt"

// EgressCredential reads the content of a Secret with which the egress gateway encrypts requests. An unusable one is an entry with a problem,
// which names no part of a key.
func EgressCredential(name catalog.Name, data map[string][]byte) *catalog.EgressCredential {
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
