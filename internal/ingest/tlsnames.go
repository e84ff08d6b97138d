package ingest

import (
	"slices"
	"strings"
)

// CipherSuites are the suites of TLS 1.2 that sidecars know, by Envoy's names. It refuses a listener or cluster with any other.
func CipherSuites() []string {
	return []string{
		"ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-RSA-AES256-GCM-SHA384",
		"ECDHE-ECDSA-CHACHA20-POLY1305", "ECDHE-RSA-CHACHA20-POLY1305",
		"ECDHE-ECDSA-AES128-SHA", "ECDHE-RSA-AES128-SHA", "ECDHE-ECDSA-AES256-SHA", "ECDHE-RSA-AES256-SHA",
		"AES128-GCM-SHA256", "AES256-GCM-SHA384", "AES128-SHA", "AES256-SHA",
	}
}

// ECDHCurves are the curves that sidecars know, by Envoy's names.
func ECDHCurves() []string { return []string{"X25519", "P-256", "P-384", "P-521", "X25519MLKEM768"} }

// known are the names that sidecars know. One that they do not would make every sidecar of the mesh refuse every listener and
// cluster, so it is left out; when none is left, Envoy's own choice is in force.
func known(field string, names, all []string, found *problems) []string {
	var good, bad []string
	for _, name := range names {
		if slices.Contains(all, name) {
			good = append(good, name)
		} else {
			bad = append(bad, name)
		}
	}
	if len(bad) > 0 {
		found.refuse(ReasonInvalidTLS, "%s names %.80q, which sidecars do not know: use %s. These are left out.", field, strings.Join(bad, ", "), strings.Join(all, ", "))
	}
	return good
}
