package resource

import (
	"strconv"
	"strings"
	"time"
)

// trustDomainMark precedes the trust domain in the version of a certificate.
const trustDomainMark = "@"

// ReuseMargin is the remaining lifetime below which a certificate from an earlier stream is replaced.
const ReuseMargin = 10 * time.Minute

// CertificateVersion returns the version of a service certificate. It does not depend on the content: each replica issues its
// own keys, and a sidecar that reconnects to another replica must keep its certificate.
func CertificateVersion(generation, trustDomain string, notAfter time.Time) string {
	return generation + trustDomainMark + trustDomain + "." + strconv.FormatInt(notAfter.Unix(), 10)
}

// CertificateExpiry returns when the certificate with a version expires.
func CertificateExpiry(version string) (time.Time, bool) {
	_, expiry, _ := cutLast(version)
	seconds, err := strconv.ParseInt(expiry, 10, 64)
	if err != nil {
		return time.Time{}, false
	}
	return time.Unix(seconds, 0), true
}

// CertificateGeneration returns the generation of the root that issued the certificate with a version, and the trust domain of its workload.
// Both are empty without a certificate.
func CertificateGeneration(version string) (generation, trustDomain string) {
	issued, _, _ := cutLast(version)
	generation, trustDomain, _ = strings.Cut(issued, trustDomainMark)
	return generation, trustDomain
}

// ReusableUntil returns until when a client may keep the certificate that it holds instead of the current one. Both are
// versions. It returns false if the certificates have different generations or trust domains, or the held one is about to expire.
func ReusableUntil(held, current string, now time.Time) (time.Time, bool) {
	heldGeneration, _, _ := cutLast(held)
	generation, _, found := cutLast(current)
	if !found || heldGeneration != generation {
		return time.Time{}, false
	}
	expiry, ok := CertificateExpiry(held)
	if !ok {
		return time.Time{}, false
	}
	until := expiry.Add(-ReuseMargin)
	return until, now.Before(until)
}

func cutLast(s string) (before, after string, found bool) {
	i := strings.LastIndexByte(s, '.')
	if i < 0 {
		return "", "", false
	}
	return s[:i], s[i+1:], true
}
