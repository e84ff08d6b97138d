package certificates

import (
	"context"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/e2e/lab"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// cert-manager issues the certificate of each workload. While it is down, workloads keep their certificates, and the condition reports it. No
// CertificateRequest is left.
func TestCertificatesOfWorkloadsAreRequested(t *testing.T) {
	lab.RequireFull(t)
	lab.Must(t, cluster.ApplyFile(t.Context(), "config", "samples", "cert-manager", "issuer.yaml"))
	t.Cleanup(func() { restoreMesh(t) })
	s := deployShop(t)
	before := ownAuthority(t)
	s.underLoad(t, func() {
		changeCertificates(t, `{"provider":"CertManager","issuerRef":`+corporateIssuer+`,"workloadIssuance":"CertificateRequest"}`)
		authority := awaitRotation(t, before, func(string) {})
		leaf := leafOf(t, s.chain(t))
		if authority.Issued(leaf) || strings.Contains(leaf.Issuer.CommonName, "mesh ") {
			t.Errorf("the certificate of the server is of %s, want the issuer itself", leaf.Issuer)
		}
		scaleCertManager(t, 0)
		changeCertificates(t, `{"serviceCertificateDuration":"2h"}`)
		awaitDelegation(t, metav1.ConditionFalse, "certificates of workloads are not issued since")
		if kept := leafOf(t, s.chain(t)); !kept.Equal(leaf) {
			t.Error("the certificate of the server has changed while cert-manager is down")
		}
		scaleCertManager(t, 1)
		awaitDelegation(t, metav1.ConditionTrue, "")
		lab.Eventually(t, time.Minute, "the server has a renewed certificate", func(context.Context) (bool, string, error) {
			end := leafOf(t, s.chain(t)).NotAfter
			return time.Until(end) < 2*time.Hour, "until " + end.String(), nil
		})
	})
	requireNoRequests(t)
	leaveCertManager(t, s)
}

// leaveCertManager requires that a mesh whose cert-manager is lost returns to its own authority, although pods wait for their first certificate.
func leaveCertManager(t *testing.T, s shop) {
	t.Helper()
	before, err := activeAuthority(t.Context())
	lab.Must(t, err)
	scaleCertManager(t, 0)
	account, pod := cluster.TestPod(s.inside, "late")
	lab.Must(t, cluster.Create(t.Context(), account, pod))
	awaitDelegation(t, metav1.ConditionFalse, "certificates of workloads are not issued since")
	restoreMesh(t)
	authority := awaitRotation(t, before, func(string) {})
	requireIssued(t, s.chain(t), authority)
	lab.Must(t, cluster.PodsReady(t.Context(), podLimit, s.inside))
}

// awaitDelegation waits until the condition CertificatesDelegated has a status and a text in its message.
func awaitDelegation(t *testing.T, status metav1.ConditionStatus, text string) {
	t.Helper()
	lab.Eventually(t, 3*time.Minute, "CertificatesDelegated is "+string(status), func(ctx context.Context) (bool, string, error) {
		var mesh v1alpha1.Mesh
		err := cluster.Client.Get(ctx, client.ObjectKey{Name: names.DefaultMesh}, &mesh)
		c := meta.FindStatusCondition(mesh.Status.Conditions, v1alpha1.ConditionCertificatesDelegated)
		if err != nil || c == nil {
			return false, "no condition", err
		}
		return c.Status == status && strings.Contains(c.Message, text), c.Message, nil
	})
}

// requireNoRequests requires that the control plane has deleted its CertificateRequests. That of the intermediate authority is of cert-manager.
func requireNoRequests(t *testing.T) {
	t.Helper()
	lab.Eventually(t, time.Minute, "the CertificateRequests of workloads are deleted", func(ctx context.Context) (bool, string, error) {
		list := &unstructured.UnstructuredList{}
		list.SetGroupVersionKind(schema.GroupVersionKind{Group: "cert-manager.io", Version: "v1", Kind: "CertificateRequestList"})
		err := cluster.Client.List(ctx, list, client.InNamespace(names.DefaultNamespace))
		var left []string
		for i := range list.Items {
			if name := list.Items[i].GetName(); strings.HasPrefix(name, "osm-workload-") {
				left = append(left, name)
			}
		}
		return len(left) == 0, strings.Join(left, ", "), err
	})
}
