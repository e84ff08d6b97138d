package certificates

import (
	"context"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/e2e/lab"
	"github.com/openservicemesh/osm-operator/internal/certificate"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// The mesh gets a new root by declaration, moves to cert-manager, and back. The operator is killed in both waiting steps of the first
// rotation, and a stopped sidecar holds it until it continues.
func TestAuthorityChangesUnderLoad(t *testing.T) {
	t.Cleanup(func() { restoreMesh(t) })
	s := deployShop(t)
	ownAuthority(t)
	for _, change := range []struct {
		name   string
		change func(*testing.T)
		step   func(string)
		check  func(*testing.T, *certificate.Root)
	}{
		{"a new root", func(t *testing.T) { changeCertificates(t, `{"rotateRoot":"`+s.inside+`"}`) }, s.holdAndKill(t), func(*testing.T, *certificate.Root) {}},
		{"to cert-manager", useCertManager, func(string) {}, requireCorporateRoot},
		{"back to the built-in root", func(t *testing.T) { changeCertificates(t, `{"provider":null,"issuerRef":null}`) }, func(string) {}, requireNoDelegation},
	} {
		t.Run(change.name, func(t *testing.T) {
			before, err := activeAuthority(t.Context())
			lab.Must(t, err)
			s.underLoad(t, func() {
				change.change(t)
				after := awaitRotation(t, before, change.step)
				requireIssued(t, s.chain(t), after)
				change.check(t, after)
			})
		})
	}
}

// useCertManager runs the commands that the demo prints.
func useCertManager(t *testing.T) {
	changeCertificates(t, `{"rotateRoot":null}`)
	for _, command := range []string{lab.InstallCertManager, lab.UseCertManager} {
		lab.Must(t, cluster.Shell(t.Context(), command))
	}
}

// corporateIssuer refers to the issuer of the sample.
const corporateIssuer = `{"name":"corporate","kind":"Issuer"}`

// holdAndKill returns a function that deletes the pod of the operator without grace in the waiting steps of a rotation. A sidecar is
// stopped before the rotation. The first waiting step must report it, and does not end before it continues.
func (s shop) holdAndKill(t *testing.T) func(string) {
	s.stopSidecar(t)
	return func(reason string) {
		if reason != v1alpha1.ReasonWaitingForTrust && reason != v1alpha1.ReasonWaitingForRenewal {
			return
		}
		killOperator(t, reason)
		if reason == v1alpha1.ReasonWaitingForTrust {
			s.requireHeld(t)
		}
	}
}

// killOperator deletes the pod of the operator without grace.
func killOperator(t *testing.T, reason string) {
	t.Helper()
	t.Logf("killing the operator in step %s", reason)
	lab.Must(t, cluster.Client.DeleteAllOf(t.Context(), &corev1.Pod{}, client.InNamespace(names.OperatorNamespace), client.GracePeriodSeconds(0)))
}

// requireCorporateRoot requires that the mesh trusts the root of cert-manager, and that the condition reports its issuance.
func requireCorporateRoot(t *testing.T, authority *certificate.Root) {
	var secret corev1.Secret
	lab.Must(t, cluster.Client.Get(t.Context(), client.ObjectKey{Namespace: names.DefaultNamespace, Name: "corporate-root"}, &secret))
	if got, want := string(authority.CertPEM()), string(secret.Data[corev1.TLSCertKey]); got != want {
		t.Errorf("the trust of the mesh is\n%s\nwant the root of cert-manager\n%s", got, want)
	}
	lab.Eventually(t, 30*time.Second, "the condition reports the issuance", func(ctx context.Context) (bool, string, error) {
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
	requireNoSecret(t, names.DelegatedCA)
}

// restoreMesh lets the mesh have its own root again, and certificates with the default lifetime. The MeshConfig keeps what a Mesh does not declare any
// more, so the Mesh declares the default first.
func restoreMesh(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	declare := func(certificates string) error {
		mesh := &v1alpha1.Mesh{ObjectMeta: metav1.ObjectMeta{Name: names.DefaultMesh}}
		return cluster.Patch(ctx, mesh, `{"spec":{"certificates":`+certificates+`}}`)
	}
	lab.Must(t, declare(`null`))
	lab.Must(t, declare(`{"serviceCertificateDuration":"24h"}`))
	lab.Must(t, lab.Until(ctx, time.Minute, "the MeshConfig has the default lifetime", func(ctx context.Context) (bool, string, error) {
		config := &configv1alpha2.MeshConfig{}
		if err := cluster.Client.Get(ctx, client.ObjectKey{Namespace: names.DefaultNamespace, Name: names.MeshConfig}, config); err != nil {
			return false, "", err
		}
		lifetime, err := time.ParseDuration(config.Spec.Certificate.ServiceCertValidityDuration)
		return lifetime == 24*time.Hour, lifetime.String(), err
	}))
	lab.Must(t, declare(`null`))
}
