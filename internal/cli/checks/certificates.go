package checks

import (
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
)

// certificates checks what the status of a Mesh reports about its certificates. A Mesh without such a status has no result.
func (s Subject) certificates(m *v1alpha1.Mesh) []Result {
	var results []Result
	if certificates := m.Status.Certificates; certificates != nil {
		results = append(results, s.expiry("the certificate authority "+certificates.Issuer.Fingerprint, certificates.Issuer.NotAfter.Time))
	}
	for _, kind := range []string{v1alpha1.ConditionCertificatesDelegated, v1alpha1.ConditionIngressCertificateReady} {
		if c := meta.FindStatusCondition(m.Status.Conditions, kind); c != nil && c.Status == metav1.ConditionFalse {
			results = append(results, warning("", "%s is False, %s: %s", kind, c.Reason, c.Message))
		}
	}
	if c := meta.FindStatusCondition(m.Status.Conditions, v1alpha1.ConditionRotatingAuthority); c != nil {
		results = append(results, warning("see `osm certificates`", "a rotation is in progress, in step %s: %s", c.Reason, c.Message))
	}
	return results
}

// expiry reports when something expires.
func (s Subject) expiry(what string, end time.Time) Result {
	date := end.UTC().Format(time.DateOnly)
	switch left := end.Sub(s.Now); {
	case left <= 0:
		return failed("see `osm certificates`", "%s expired on %s", what, date)
	case left < issuerWarning:
		return warning("see `osm certificates`", "%s expires on %s", what, date)
	}
	return ok("%s is valid until %s", what, date)
}

// issuerWarning is the remaining validity below which a certificate authority causes a warning. cert-manager renews one of 90 days when a
// third of that is left.
const issuerWarning = 28 * 24 * time.Hour
