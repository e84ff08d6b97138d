package checks_test

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
)

func TestCertificatesOfAMesh(t *testing.T) {
	mesh := func(left time.Duration, conditions ...metav1.Condition) *v1alpha1.Mesh {
		return &v1alpha1.Mesh{ObjectMeta: metav1.ObjectMeta{Name: "osm"}, Status: v1alpha1.MeshStatus{
			Conditions:   conditions,
			Certificates: &v1alpha1.CertificatesStatus{Issuer: v1alpha1.CertificateSummary{Fingerprint: "abc", NotAfter: metav1.NewTime(now.Add(left))}},
		}}
	}
	condition := func(kind string, status metav1.ConditionStatus, reason string) metav1.Condition {
		return metav1.Condition{Type: kind, Status: status, Reason: reason, Message: "why"}
	}
	day := 24 * time.Hour
	for name, test := range map[string]struct {
		mesh *v1alpha1.Mesh
		want string
	}{
		"long":                 {mesh(60 * day), "ok: the certificate authority abc is valid until"},
		"short":                {mesh(2 * day), "warning: the certificate authority abc expires on"},
		"expired":              {mesh(-day), "error: the certificate authority abc expired on"},
		"not delegated":        {mesh(60*day, condition("CertificatesDelegated", "False", "NotIssued")), "warning: CertificatesDelegated is False, NotIssued: why"},
		"a shared issuer":      {mesh(60*day, condition("IssuerShared", "True", "NoApproverPolicy")), "warning: IssuerShared is True, NoApproverPolicy: why"},
		"no gateway":           {mesh(60*day, condition("IngressCertificateReady", "False", "CertificatesFailed")), "warning: IngressCertificateReady is False"},
		"a peer is away":       {mesh(60*day, condition("PeersReady", "False", "PeersNotReady")), "warning: PeersReady is False, PeersNotReady: why"},
		"peers are ready":      {mesh(60*day, condition("PeersReady", "True", "PeersReady")), "ok: why"},
		"rotation in progress": {mesh(60*day, condition("RotatingAuthority", "True", "WaitingForTrust")), "warning: a rotation is in progress, in step WaitingForTrust: why"},
	} {
		t.Run(name, func(t *testing.T) { contains(t, subject(t, test.mesh).ControlPlane(t.Context()), test.want) })
	}
	healthy := mesh(60*day, condition("CertificatesDelegated", "True", "Issued"))
	if text := strings.Join(lines(subject(t, healthy).ControlPlane(t.Context())), "\n"); strings.Contains(text, "CertificatesDelegated") {
		t.Errorf("a delegated authority is reported as a problem:\n%s", text)
	}
}
