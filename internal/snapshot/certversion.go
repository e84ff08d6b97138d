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
	heldGeneration, _, ok := cutLast(held)
	generation, _, found := cutLast(current)
	if !ok || !found || heldGeneration != generation {
		return time.Time{}, false
	}
	end, ok := certificateEnd(held)
	if !ok {
		return time.Time{}, false
	}
	until := end.Add(-certificateMargin)
	return until, now.Before(until)
}

// certificateEnd is when the certificate of a version expires.
func certificateEnd(version string) (time.Time, bool) {
	_, expiry, ok := cutLast(version)
	seconds, err := strconv.ParseInt(expiry, 10, 64)
	if !ok || err != nil {
		return time.Time{}, false
	}
	return time.Unix(seconds, 0), true
}

// certificateEnd is when the service certificate in a response expires; false without one.
func (r *Response) certificateEnd() (time.Time, bool) {
	if r.Type != Secrets {
		return time.Time{}, false
	}
	for _, res := range r.Resources {
		if isServiceCertificate(res.Name()) {
			return certificateEnd(res.Version())
		}
	}
	return time.Time{}, false
}

func cutLast(s string) (before, after string, found bool) {
	i := strings.LastIndexByte(s, '.')
	if i < 0 {
		return "", "", false
	}
	return s[:i], s[i+1:], true
}
