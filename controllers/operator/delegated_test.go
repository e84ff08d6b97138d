package operator_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/certificate"
	"github.com/openservicemesh/osm-operator/internal/certificate/certmanager"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
	"github.com/openservicemesh/osm-operator/internal/testing/pki"
)

// certificateDefinition reads the definition of Certificate from the module of cert-manager.
func certificateDefinition(t *testing.T) *apiextensionsv1.CustomResourceDefinition {
	t.Helper()
	folder, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "github.com/cert-manager/cert-manager").Output()
	if err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(folder)), "deploy", "crds", "cert-manager.io_certificates.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	definition := &apiextensionsv1.CustomResourceDefinition{}
	if err := yaml.UnmarshalStrict(content, definition); err != nil {
		t.Fatal(err)
	}
	return definition
}

// waitDelegated waits for the condition CertificatesDelegated with a text in its message.
func waitDelegated(t *testing.T, mesh *v1alpha1.Mesh, status metav1.ConditionStatus, reason, text string) {
	t.Helper()
	eventually(t, func() error {
		get(t, mesh)
		c := meta.FindStatusCondition(mesh.Status.Conditions, v1alpha1.ConditionCertificatesDelegated)
		if c == nil || c.Status != status || c.Reason != reason || !strings.Contains(c.Message, text) {
			return fmt.Errorf("the condition is %+v", c)
		}
		return nil
	})
}

// issue writes the Secret of the Certificate, as cert-manager does, and returns the authority in it.
func issue(t *testing.T, mesh string, data map[string][]byte) *certificate.Root {
	t.Helper()
	request := certmanager.Reference(meshNamespace(mesh), names.DelegatedCA)
	waitFor(t, request, func(*unstructured.Unstructured) error { return nil })
	labels, _, err := unstructured.NestedStringMap(request.Object, "spec", "secretTemplate", "labels")
	if err != nil {
		t.Fatal(err)
	}
	secret := &corev1.Secret{ObjectMeta: inMeshNamespace(mesh, names.DelegatedCA), Type: corev1.SecretTypeTLS, Data: data}
	secret.Labels = labels
	found, err := exists(t.Context(), &corev1.Secret{ObjectMeta: inMeshNamespace(mesh, names.DelegatedCA)})
	switch {
	case err != nil:
		t.Fatal(err)
	case found:
		change(t, &corev1.Secret{ObjectMeta: secret.ObjectMeta}, func(s *corev1.Secret) { s.Data = data })
	default:
		create(t, secret)
	}
	root, err := certmanager.Authority(secret, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return root
}

// markIssued writes the status of the Certificate, as cert-manager does.
func markIssued(t *testing.T, mesh string) {
	t.Helper()
	eventually(t, func() error {
		live := certmanager.Reference(meshNamespace(mesh), names.DelegatedCA)
		if err := cluster.client.Get(t.Context(), client.ObjectKeyFromObject(live), live); err != nil {
			return err
		}
		live.Object["status"] = map[string]any{"conditions": []any{map[string]any{"type": "Ready", "status": "True"}}}
		return cluster.client.Status().Update(t.Context(), live)
	})
}

// A mesh whose issuer is not there yet uses the built-in authority, and withdraws its request when the provider changes back. It moves to
// the authority of cert-manager when there is one, follows its renewal, keeps it when cert-manager is removed, and goes back.
func TestAuthorityIsDelegatedToCertManager(t *testing.T) {
	t.Parallel()
	const name = "delegated"
	delegated := &v1alpha1.CertificatesSpec{
		Provider: ptr.To(v1alpha1.ProviderCertManager), IssuerRef: &v1alpha1.IssuerReference{Name: "corp", Kind: ptr.To("ClusterIssuer")},
	}
	mesh := readyMesh(t, name, func(spec *v1alpha1.MeshSpec) { spec.Certificates = delegated })
	builtIn := activeRoot(t, name)
	waitDelegated(t, mesh, metav1.ConditionFalse, v1alpha1.ReasonKindNotServed, "cert-manager is not installed")

	definition := certificateDefinition(t)
	create(t, definition)
	request := certmanager.Reference(meshNamespace(name), names.DelegatedCA)
	waitFor(t, request, func(*unstructured.Unstructured) error { return nil })
	change(t, mesh, func(m *v1alpha1.Mesh) { m.Spec.Certificates = nil })
	waitGone(t, request)
	change(t, mesh, func(m *v1alpha1.Mesh) { m.Spec.Certificates = delegated })

	corporate := pki.NewCorporate(t)
	first := issue(t, name, corporate.Intermediate(t))
	waitActive(t, name, first.Generation(), 1)
	waitRotated(t, mesh)
	trust := &corev1.ConfigMap{ObjectMeta: inMeshNamespace(name, names.TrustConfigMap(name))}
	waitFor(t, trust, func(m *corev1.ConfigMap) error {
		if m.Data[names.CABundleCert] != string(corporate.CertPEM()) {
			return fmt.Errorf("the distributed trust is\n%s", m.Data[names.CABundleCert])
		}
		return nil
	})
	markIssued(t, name)
	waitDelegated(t, mesh, metav1.ConditionTrue, v1alpha1.ReasonIssued, "cert-manager issues")

	renewed := issue(t, name, corporate.Intermediate(t))
	waitActive(t, name, renewed.Generation(), 1)

	remove(t, definition)
	waitDelegated(t, mesh, metav1.ConditionFalse, v1alpha1.ReasonKindNotServed, "is used until "+renewed.NotAfter().UTC().Format(time.RFC3339))
	if got := activeRoot(t, name).Generation(); got != renewed.Generation() {
		t.Errorf("%s issues after cert-manager was removed, want %s", got, renewed.Generation())
	}

	change(t, mesh, func(m *v1alpha1.Mesh) { m.Spec.Certificates = nil })
	waitActive(t, name, builtIn.Generation(), 1)
	waitRotated(t, mesh)
	waitGone(t, &corev1.Secret{ObjectMeta: inMeshNamespace(name, names.DelegatedCA)})
	get(t, mesh)
	if c := meta.FindStatusCondition(mesh.Status.Conditions, v1alpha1.ConditionCertificatesDelegated); c != nil {
		t.Errorf("a mesh with a built-in authority has the condition %+v", c)
	}
}
