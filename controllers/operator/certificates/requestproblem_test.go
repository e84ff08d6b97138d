package certificates

import (
	"strings"
	"testing"

	cmapi "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	cmmeta "github.com/cert-manager/cert-manager/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/certificate/certmanager"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// TestMissingIssuerIsNamed has a Mesh that names an issuer which does not exist. cert-manager writes that into the CertificateRequest only.
func TestMissingIssuerIsNamed(t *testing.T) {
	desired, err := certmanager.Certificate(certmanager.Request{
		Mesh: "osm", Namespace: namespace, Name: names.DelegatedCA, Issuer: cmmeta.IssuerReference{Name: "crop", Kind: "ClusterIssuer", Group: "cert-manager.io"},
	})
	if err != nil {
		t.Fatal(err)
	}
	live := desired.DeepCopy()
	live.Object["status"] = map[string]any{"conditions": []any{
		map[string]any{"type": "Ready", "status": "False", "message": "Issuing certificate as Secret does not exist"},
	}}
	request := &unstructured.Unstructured{Object: map[string]any{"status": map[string]any{"conditions": []any{
		map[string]any{"type": "Approved", "status": "True"},
		map[string]any{"type": "Ready", "status": "False", "message": `Referenced "ClusterIssuer" not found: clusterissuer.cert-manager.io "crop" not found`},
	}}}}
	request.SetGroupVersionKind(cmapi.SchemeGroupVersion.WithKind(cmapi.CertificateRequestKind))
	request.SetNamespace(namespace)
	request.SetName("osm-ca-1")
	request.SetAnnotations(map[string]string{cmapi.CertificateNameKey: names.DelegatedCA})
	r := newReconciler(t, live, request)
	reason, message := r.requestCertificate(t.Context(), desired)
	if reason != v1alpha1.ReasonNotIssued || !strings.Contains(message, `its CertificateRequest osm-ca-1: Referenced "ClusterIssuer" not found: clusterissuer.cert-manager.io "crop" not found`) {
		t.Errorf("%s: %s", reason, message)
	}
}
