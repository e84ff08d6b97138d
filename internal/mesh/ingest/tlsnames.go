package ingest

import (
	"slices"
	"strings"
)

// CipherSuites are the TLS 1.2 cipher suites that sidecars support, by Envoy's names. Envoy rejects a listener or
// cluster with any other.
func CipherSuites() []string {
	return []string{
		"ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-RSA-AES256-GCM-SHA384",
		"ECDHE-ECDSA-CHACHA20-POLY1305", "ECDHE-RSA-CHACHA20-POLY1305",
		"ECDHE-ECDSA-AES128-SHA", "ECDHE-RSA-AES128-SHA", "ECDHE-ECDSA-AES256-SHA", "ECDHE-RSA-AES256-SHA",
		"AES128-GCM-SHA256", "AES256-GCM-SHA384", "AES128-SHA", "AES256-SHA",
	}
}

// ECDHCurves are the curves that sidecars support, by Envoy's names.
func ECDHCurves() []string { return []string{"X25519", "P-256", "P-384", "P-521", "X25519MLKEM768"} }

// knownNames returns the names that sidecars support. One unsupported name would make every sidecar reject every
// listener and cluster. An empty result means Envoy's defaults.
func knownNames(field string, names, all []string, found *problems) []string {
	var good, bad []string
	for _, name := range names {
		if slices.Contains(all, name) {
			good = append(good, name)
		} else {
			bad = append(bad, name)
		}
	}
	if len(bad) > 0 {
		found.reject(ReasonInvalidTLS, "%s names %.80q, which sidecars do not support: use %s.", field, strings.Join(bad, ", "), strings.Join(all, ", "))
		found.effect("These are left out.")
	}
	return good
}
