package certificates

import (
	"context"
	"crypto/x509"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/e2e/lab"
	"github.com/openservicemesh/osm-operator/internal/certificate"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
	"github.com/openservicemesh/osm-operator/internal/testing/pki"
)

// checkCommand checks an authority before it is declared.
const checkCommand = "go run ./cmd/osm certificates check "

// An authority that may not issue for the namespace of the shop is found by the command before it is declared, and by the operator when it is: the
// status names the pods, and the mesh keeps its authority.
func TestLimitedAuthorityIsRejected(t *testing.T) {
	lab.RequireFull(t)
	lab.Must(t, cluster.ApplyFile(t.Context(), "config", "samples", "cert-manager", "issuer.yaml"))
	s := deployShop(t)
	before := ownAuthority(t)
	var own corev1.Secret
	lab.Must(t, cluster.Client.Get(t.Context(), client.ObjectKey{Namespace: names.DefaultNamespace, Name: names.CABundleSecret}, &own))
	limited := pki.NewLimitedCorporate(t, func(c *x509.Certificate) { c.ExcludedDNSDomains = []string{s.inside + ".cluster.local"} }).Intermediate(t)
	file := filepath.Join(t.TempDir(), "ca.pem")
	lab.Must(t, os.WriteFile(file, append(limited[corev1.TLSCertKey], limited["ca.crt"]...), 0o600))

	lab.Must(t, cluster.Shell(t.Context(), checkCommand))
	lab.Eventually(t, time.Minute, "the issuer can be used", func(ctx context.Context) (bool, string, error) {
		err := cluster.Shell(ctx, checkCommand+"--issuer Issuer/corporate")
		return err == nil, "", nil
	})
	if err := cluster.Shell(t.Context(), checkCommand+"--ca-file "+file); err == nil || !strings.Contains(err.Error(), "the sidecar of "+s.inside+"/server cannot use") {
		t.Errorf("the check of the limited authority returns %v", err)
	}
	t.Cleanup(func() { lab.Must(t, writeBundle(context.Background(), own.Data)) })
	replaceBundle(t, map[string][]byte{
		certificate.TrustKey: limited["ca.crt"], certificate.ChainKey: limited[corev1.TLSCertKey], certificate.SignerKey: limited[corev1.TLSPrivateKeyKey],
	})
	s.awaitRejection(t)
	lab.Must(t, s.tryInjection(t.Context()))
	replaceBundle(t, own.Data)
	awaitKept(t, before)
}

// awaitRejection waits until the status lists the pods of the shop.
func (s shop) awaitRejection(t *testing.T) {
	t.Helper()
	lab.Eventually(t, time.Minute, "the authority is rejected", func(ctx context.Context) (bool, string, error) {
		var mesh v1alpha1.Mesh
		err := cluster.Client.Get(ctx, client.ObjectKey{Name: names.DefaultMesh}, &mesh)
		c := meta.FindStatusCondition(mesh.Status.Conditions, v1alpha1.ConditionRotatingAuthority)
		if err != nil || c == nil || mesh.Status.Certificates == nil {
			return false, "no condition", err
		}
		blockers := strings.Join(mesh.Status.Certificates.Blockers, "\n")
		isNamed := strings.Contains(blockers, "the sidecar of "+s.inside+"/server cannot use") && strings.Contains(blockers, "the sidecar of "+s.inside+"/client cannot use")
		return c.Reason == v1alpha1.ReasonAuthorityRejected && isNamed, c.Reason + ": " + c.Message + "\n" + blockers, nil
	})
}

// awaitKept waits until no rotation is in progress, and requires that an authority still issues.
func awaitKept(t *testing.T, want *certificate.Root) {
	t.Helper()
	lab.Must(t, lab.Until(context.Background(), rotationLimit, "no rotation is in progress", func(ctx context.Context) (bool, string, error) {
		var mesh v1alpha1.Mesh
		err := cluster.Client.Get(ctx, client.ObjectKey{Name: names.DefaultMesh}, &mesh)
		return meta.FindStatusCondition(mesh.Status.Conditions, v1alpha1.ConditionRotatingAuthority) == nil, lab.Conditions(mesh.Status.Conditions), err
	}))
	now, err := activeAuthority(context.Background())
	if err != nil || now.Generation() != want.Generation() {
		t.Errorf("the authority is %v, %v, want the one of before", now, err)
	}
}
