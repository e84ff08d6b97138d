package certificates

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/e2e/lab"
	"github.com/openservicemesh/osm-operator/internal/certificate"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// Certificates that are renewed every minute fail no request.
func TestCertificatesAreRenewedEveryMinute(t *testing.T) {
	lab.RequireFull(t)
	t.Cleanup(func() { restoreMesh(t) })
	s := deployShop(t)
	s.underLoad(t, func() {
		changeCertificates(t, `{"serviceCertificateDuration":"90s"}`)
		serials := map[string]bool{}
		end := time.Now().Add(5 * time.Minute)
		lab.Eventually(t, 6*time.Minute, "5 minutes are over", func(context.Context) (bool, string, error) {
			serials[leafOf(t, s.chain(t)).SerialNumber.String()] = true
			return time.Now().After(end), fmt.Sprintf("%d certificates", len(serials)), nil
		})
		t.Logf("the sidecar of the server presented %d certificates", len(serials))
		if len(serials) < 4 {
			t.Errorf("the sidecar of the server presented %d certificates in 5 minutes, want at least 4", len(serials))
		}
	})
}

// The operator is killed in every step that the condition reports.
func TestOperatorIsKilledInEachStep(t *testing.T) {
	lab.RequireFull(t)
	t.Cleanup(func() { restoreMesh(t) })
	s := deployShop(t)
	before := ownAuthority(t)
	killed := map[string]bool{}
	s.underLoad(t, func() {
		changeCertificates(t, `{"rotateRoot":"`+s.inside+`"}`)
		after := awaitRotation(t, before, func(reason string) {
			if !killed[reason] {
				killOperator(t, reason)
			}
			killed[reason] = true
		})
		requireIssued(t, s.chain(t), after)
	})
	if len(killed) < 4 {
		t.Errorf("the operator was killed in the steps %v, want at least 4", killed)
	}
}

// An authority that expires is replaced: the new root issues at once.
func TestRootHasExpired(t *testing.T) {
	lab.RequireFull(t)
	t.Cleanup(func() { restoreMesh(t) })
	s := deployShop(t)
	before := ownAuthority(t)
	expiry := time.Now().Add(3 * time.Minute)
	replaceBundle(t, shortLivedRoot(t, expiry))
	short := awaitRotation(t, before, func(string) {})
	lab.Eventually(t, 4*time.Minute, "the root has expired", func(context.Context) (bool, string, error) {
		return time.Now().After(expiry), "until " + expiry.UTC().Format(time.TimeOnly), nil
	})
	changeCertificates(t, `{"rotateRoot":"`+s.inside+`"}`)
	after := awaitRotation(t, short, func(string) {})
	_, err := s.client.AwaitOutcome(t.Context(), time.Minute, s.url(), "200")
	lab.Must(t, err)
	requireIssued(t, s.chain(t), after)
	lab.Must(t, s.tryInjection(t.Context()))
}

// shortLivedRoot returns the content of a CA Secret with a root that expires soon.
func shortLivedRoot(t *testing.T, expiry time.Time) map[string][]byte {
	t.Helper()
	root, err := certificate.NewRoot(certificate.KeySpec{}, expiry.Add(-87600*time.Hour))
	lab.Must(t, err)
	key, err := root.KeyPEM()
	lab.Must(t, err)
	return map[string][]byte{certificate.TrustKey: root.CertPEM(), certificate.SignerKey: key}
}

// replaceBundle replaces the content of osm-ca-bundle, as a user does.
func replaceBundle(t *testing.T, content map[string][]byte) {
	t.Helper()
	lab.Must(t, writeBundle(t.Context(), content))
}

func writeBundle(ctx context.Context, content map[string][]byte) error {
	var secret corev1.Secret
	if err := cluster.Client.Get(ctx, client.ObjectKey{Namespace: names.DefaultNamespace, Name: names.CABundleSecret}, &secret); err != nil {
		return err
	}
	secret.Data = content
	return cluster.Client.Update(ctx, &secret)
}

// replacedIssuer is another root of cert-manager with its issuer.
const replacedIssuer = `apiVersion: cert-manager.io/v1
kind: Certificate
metadata: {name: second-root, namespace: osm-system}
spec:
  isCA: true
  commonName: second root
  secretName: second-root
  privateKey: {algorithm: ECDSA, size: 256}
  issuerRef: {name: self-signed, kind: Issuer}
---
apiVersion: cert-manager.io/v1
kind: Issuer
metadata: {name: second, namespace: osm-system}
spec: {ca: {secretName: second-root}}
`

// The mesh moves to another issuer while cert-manager is down. It keeps its authority until cert-manager is back, and then moves.
func TestIssuerIsReplacedWhileCertManagerIsDown(t *testing.T) {
	lab.RequireFull(t)
	lab.Must(t, cluster.ApplyFile(t.Context(), "config", "samples", "cert-manager", "issuer.yaml"))
	lab.Must(t, cluster.Apply(t.Context(), replacedIssuer))
	t.Cleanup(func() { restoreMesh(t) })
	s := deployShop(t)
	before := ownAuthority(t)
	changeCertificates(t, `{"provider":"CertManager","issuerRef":`+corporateIssuer+`}`)
	first := awaitRotation(t, before, func(string) {})
	s.underLoad(t, func() {
		scaleCertManager(t, 0)
		changeCertificates(t, `{"issuerRef":{"name":"second","kind":"Issuer"}}`)
		requireNotIssued(t)
		kept, err := activeAuthority(t.Context())
		lab.Must(t, err)
		if kept.Generation() != first.Generation() {
			t.Errorf("%s issues while cert-manager is down, want %s", kept.Generation(), first.Generation())
		}
		scaleCertManager(t, 1)
		second := awaitRotation(t, first, func(string) {})
		requireIssued(t, s.chain(t), second)
	})
}

// requireNotIssued waits until the condition reports that the issuer has issued nothing, and until when the present authority is used.
func requireNotIssued(t *testing.T) {
	t.Helper()
	lab.Eventually(t, time.Minute, "the condition reports that nothing is issued", func(ctx context.Context) (bool, string, error) {
		var mesh v1alpha1.Mesh
		err := cluster.Client.Get(ctx, client.ObjectKey{Name: names.DefaultMesh}, &mesh)
		c := meta.FindStatusCondition(mesh.Status.Conditions, v1alpha1.ConditionCertificatesDelegated)
		if err != nil || c == nil {
			return false, "no condition", err
		}
		return c.Status == metav1.ConditionFalse && c.Reason == v1alpha1.ReasonNotIssued, c.Message, nil
	})
}

// scaleCertManager sets the replicas of the controller of cert-manager, and waits for them. A pod that is being deleted still issues, so it
// waits until that is gone. After the test there is one replica again.
func scaleCertManager(t *testing.T, replicas int32) {
	t.Helper()
	if replicas == 0 {
		t.Cleanup(func() { lab.Must(t, patchCertManager(context.Background(), 1)) })
	}
	lab.Must(t, patchCertManager(t.Context(), replicas))
	lab.Eventually(t, podLimit, fmt.Sprintf("cert-manager has %d replicas", replicas), func(ctx context.Context) (bool, string, error) {
		deployment := certManagerDeployment()
		if err := cluster.Client.Get(ctx, client.ObjectKeyFromObject(deployment), deployment); err != nil {
			return false, "", err
		}
		var pods corev1.PodList
		err := cluster.Client.List(ctx, &pods, client.InNamespace(deployment.Namespace), client.MatchingLabels(deployment.Spec.Selector.MatchLabels))
		return deployment.Status.ReadyReplicas == replicas && len(pods.Items) == int(replicas), fmt.Sprintf("%d pods", len(pods.Items)), err
	})
}

func patchCertManager(ctx context.Context, replicas int32) error {
	patch := fmt.Sprintf(`{"spec":{"replicas":%d}}`, replicas)
	return cluster.Client.Patch(ctx, certManagerDeployment(), client.RawPatch(types.MergePatchType, []byte(patch)))
}

func certManagerDeployment() *appsv1.Deployment {
	return &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: "cert-manager", Name: "cert-manager"}}
}

// leafOf returns the first certificate of a chain.
func leafOf(t *testing.T, chain string) *x509.Certificate {
	t.Helper()
	block, _ := pem.Decode([]byte(chain))
	if block == nil {
		t.Fatalf("the sidecar presents no certificate: %q", chain)
	}
	leaf, err := x509.ParseCertificate(block.Bytes)
	lab.Must(t, err)
	return leaf
}
