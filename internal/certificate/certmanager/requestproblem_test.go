package certmanager

import (
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// requestOf returns a CertificateRequest of the Certificate ca with conditions, each "<type> <status> <message>".
func requestOf(name, created string, conditions ...[3]string) unstructured.Unstructured {
	list := []any{}
	for _, c := range conditions {
		list = append(list, map[string]any{"type": c[0], "status": c[1], "message": c[2]})
	}
	return unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "cert-manager.io/v1", "kind": "CertificateRequest",
		"metadata": map[string]any{"name": name, "creationTimestamp": created, "annotations": map[string]any{"cert-manager.io/certificate-name": "ca"}},
		"status":   map[string]any{"conditions": list},
	}}
}

func TestRequestProblem(t *testing.T) {
	const first, second = "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"
	approved := [3]string{"Approved", "True", "yes"}
	missing := [3]string{"Ready", "False", `Referenced "ClusterIssuer" not found: clusterissuer.cert-manager.io "corp" not found`}
	for name, test := range map[string]struct {
		requests []unstructured.Unstructured
		want     string
	}{
		"none":                  {nil, ""},
		"an issuer of no name":  {[]unstructured.Unstructured{requestOf("ca-1", first, approved, missing)}, "its CertificateRequest ca-1: " + missing[2]},
		"the latest":            {[]unstructured.Unstructured{requestOf("ca-2", second, approved, [3]string{"Ready", "True", ""}), requestOf("ca-1", first, approved, missing)}, ""},
		"a denial after others": {[]unstructured.Unstructured{requestOf("ca-1", first, [3]string{"Ready", "False", "denied"}, [3]string{"Denied", "True", "no policy allows it"})}, "its CertificateRequest ca-1: it was denied: no policy allows it"},
		"invalid":               {[]unstructured.Unstructured{requestOf("ca-1", first, [3]string{"InvalidRequest", "True", "no CA here"})}, "its CertificateRequest ca-1: it is invalid: no CA here"},
		"without an approver":   {[]unstructured.Unstructured{requestOf("ca-1", first)}, "its CertificateRequest ca-1: no approver has approved it"},
		"without an issuer":     {[]unstructured.Unstructured{requestOf("ca-1", first, approved)}, "its CertificateRequest ca-1: its issuer has not answered: is the controller of the issuer running?"},
	} {
		t.Run(name, func(t *testing.T) {
			list := Requests()
			list.Items = test.requests
			if got := RequestProblem(list, "ca"); got != test.want {
				t.Errorf("the problem is %q, want %q", got, test.want)
			}
			if got := RequestProblem(list, "other"); got != "" {
				t.Errorf("another Certificate has the problem %q", got)
			}
		})
	}
}

// A Certificate whose issuance failed has the reason in the condition Issuing, in any order.
func TestProblem_FailedIssuance(t *testing.T) {
	live, err := Certificate(Request{Mesh: "osm", Namespace: "osm-system", Name: "ca"})
	if err != nil {
		t.Fatal(err)
	}
	failed := map[string]any{"type": "Issuing", "status": "False", "reason": "Denied", "message": "The certificate request has been denied"}
	missing := map[string]any{"type": "Ready", "status": "False", "reason": "DoesNotExist", "message": "Issuing certificate as Secret does not exist"}
	for _, order := range [][]any{{failed, missing}, {missing, failed}} {
		live.Object["status"] = map[string]any{"conditions": order}
		if got := Problem(live); got != "The certificate request has been denied" {
			t.Errorf("the problem is %q, want that of the issuance", got)
		}
	}
}
