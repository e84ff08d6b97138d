package snapshot

import (
	"strconv"
	"strings"
	"time"
)

// certificatePrefix begins the name of a secret with a workload's certificate and key, as envoy.ServiceCertName forms it.
const certificatePrefix = "service-cert:"

// certificateMargin is how long before its expiry a certificate of an earlier stream stops being good enough.
const certificateMargin = 10 * time.Minute

func isServiceCertificate(name string) bool { return strings.HasPrefix(name, certificatePrefix) }

// certificateVersion is the version of a service certificate: each replica of the control plane makes keys of its own, and a
// sidecar that changes replicas must not be given another one for that.
func certificateVersion(leaf Leaf) string {
	return leaf.Generation + "." + strconv.FormatInt(leaf.NotAfter.Unix(), 10)
}

// stillGood says whether a client that holds one version of a certificate needs not be sent another, and until when.
func stillGood(held, current string, now time.Time) (time.Time, bool) {
	heldGeneration, heldExpiry, ok := cutLast(held)
	generation, _, found := cutLast(current)
	if !ok || !found || heldGeneration != generation {
		return time.Time{}, false
	}
	seconds, err := strconv.ParseInt(heldExpiry, 10, 64)
	if err != nil {
		return time.Time{}, false
	}
	until := time.Unix(seconds, 0).Add(-certificateMargin)
	return until, now.Before(until)
}

func cutLast(s string) (before, after string, found bool) {
	i := strings.LastIndexByte(s, '.')
	if i < 0 {
		return "", "", false
	}
	return s[:i], s[i+1:], true
}
