package certificates

import (
	"context"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/certificate"
	"github.com/openservicemesh/osm-operator/internal/names"
)

// The mesh gets a new root by declaration, moves to cert-manager, and back. The operator is killed in both waiting steps.
func TestAuthorityChangesUnderLoad(t *testing.T) {
	must(t, cluster.ApplyFile(t.Context(), "config", "samples", "cert-manager", "issuer.yaml"))
	t.Cleanup(func() { restoreMesh(t) })
	s := deployShop(t)
	for _, change := range []struct {
		name, patch string
		step        func(string)
		check       func(*testing.T, *certificate.Root)
	}{
		{"a new root", `{"rotateRoot":"` + s.inside + `"}`, killOperator(t), func(*testing.T, *certificate.Root) {}},
		{
			"to cert-manager", `{"rotateRoot":null,"provider":"CertManager","issuerRef":{"name":"corporate","kind":"ClusterIssuer"}}`,
			func(string) {}, requireCorporateRoot,
		},
		{"back to the built-in root", `{"provider":null,"issuerRef":null}`, func(string) {}, requireNoDelegation},
	} {
		t.Run(change.name, func(t *testing.T) {
			before, err := activeAuthority(t.Context())
			must(t, err)
			s.underLoad(t, func() {
				changeCertificates(t, change.patch)
				after := awaitRotation(t, before, change.step)
				requireIssued(t, s.chain(t), after)
				change.check(t, after)
			})
		})
	}
}

// killOperator returns a function that deletes the pod of the operator without grace in a waiting step of a rotation.
func killOperator(t *testing.T) func(string) {
	return func(reason string) {
		if reason != v1alpha1.ReasonWaitingForTrust && reason != v1alpha1.ReasonWaitingForRenewal {
			return
		}
		t.Logf("killing the operator in step %s", reason)
		must(t, cluster.Client.DeleteAllOf(t.Context(), &corev1.Pod{}, client.InNamespace(names.OperatorNamespace), client.GracePeriodSeconds(0)))
	}
}

// requireCorporateRoot requires that the mesh trusts the root of cert-manager, and that the condition reports its issuance.
func requireCorporateRoot(t *testing.T, authority *certificate.Root) {
	var secret corev1.Secret
	must(t, cluster.Client.Get(t.Context(), client.ObjectKey{Namespace: "cert-manager", Name: "corporate-root"}, &secret))
	if got, want := string(authority.CertPEM()), string(secret.Data[corev1.TLSCertKey]); got != want {
		t.Errorf("the trust of the mesh is\n%s\nwant the root of cert-manager\n%s", got, want)
	}
	eventually(t, 30*time.Second, "the condition reports the issuance", func(ctx context.Context) (bool, string, error) {
		var mesh v1alpha1.Mesh
		err := cluster.Client.Get(ctx, client.ObjectKey{Name: names.DefaultMesh}, &mesh)
		c := meta.FindStatusCondition(mesh.Status.Conditions, v1alpha1.ConditionCertificatesDelegated)
		if err != nil || c == nil {
			return false, "no condition", err
		}
		return c.Status == metav1.ConditionTrue, c.Reason + ": " + c.Message, nil
	})
}

// requireNoDelegation requires that nothing of cert-manager is left in the namespace of the mesh.
func requireNoDelegation(t *testing.T, _ *certificate.Root) {
	eventually(t, 30*time.Second, "the Secret of cert-manager is gone", func(ctx context.Context) (bool, string, error) {
		err := cluster.Client.Get(ctx, client.ObjectKey{Namespace: names.DefaultNamespace, Name: names.DelegatedCA}, &corev1.Secret{})
		return err != nil && client.IgnoreNotFound(err) == nil, "it exists", client.IgnoreNotFound(err)
	})
}

// restoreMesh lets the mesh have its own root again after a failure.
func restoreMesh(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	mesh := &v1alpha1.Mesh{ObjectMeta: metav1.ObjectMeta{Name: names.DefaultMesh}}
	if err := cluster.Patch(ctx, mesh, `{"spec":{"certificates":null}}`); err != nil {
		t.Error(err)
	}
}
