package ingest

import (
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
)

// GatewayCertificate reads the content of a Secret with the certificate of a listener. An unusable one is an entry with a problem, which names no
// part of the key.
func GatewayCertificate(name catalog.Name, data map[string][]byte, now time.Time) *catalog.GatewayCertificate {
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
