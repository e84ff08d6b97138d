package operator_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/certificate"
	"github.com/openservicemesh/osm-operator/internal/operator/secrets"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// authority returns a CA Secret that a user could create.
func authority(t *testing.T, mesh string) *corev1.Secret {
	t.Helper()
	root, err := certificate.NewRoot(certificate.KeySpec{}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	key, err := root.KeyPEM()
	if err != nil {
		t.Fatal(err)
	}
	return &corev1.Secret{
		ObjectMeta: inMeshNamespace(mesh, names.CABundleSecret),
		Data:       map[string][]byte{names.CABundleCert: root.CertPEM(), names.CABundleKey: key},
	}
}

func TestExistingAuthorityIsUsed(t *testing.T) {
	t.Parallel()
	const name = "ownca"
	create(t, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: meshNamespace(name)}})
	own := authority(t, name)
	create(t, own)
	version := own.ResourceVersion
	readyMesh(t, name, nil)
	get(t, own)
	if own.ResourceVersion != version {
		t.Error("the certificate authority of the user was changed")
	}
	trust := &corev1.ConfigMap{ObjectMeta: inMeshNamespace(name, names.TrustConfigMap(name))}
	get(t, trust)
	if trust.Data[names.CABundleCert] != string(own.Data[names.CABundleCert]) {
		t.Error("the trusted root is not that of the user")
	}
}

func TestInvalidAuthorityIsReportedAndNotReplaced(t *testing.T) {
	t.Parallel()
	const name = "badca"
	create(t, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: meshNamespace(name)}})
	own := authority(t, name)
	good := own.Data[names.CABundleKey]
	own.Data[names.CABundleKey] = authority(t, name).Data[names.CABundleKey]
	create(t, own)
	mesh := newMesh(t, name, nil)
	c := waitCondition(t, mesh, v1alpha1.ConditionCertificatesReady, metav1.ConditionFalse, v1alpha1.ReasonCertificatesFailed)
	assertContains(t, c.Message, meshNamespace(name)+"/"+names.CABundleSecret, "does not belong", "delete the Secret")

	cluster.kubelet.serve(meshNamespace(name))
	change(t, own, func(s *corev1.Secret) { s.Data[names.CABundleKey] = good })
	waitReady(t, mesh)
}

// After the root is replaced, the webhooks trust both roots, because their pods load the new certificate with a delay.
func TestWebhooksTrustOldAndNewRoot(t *testing.T) {
	t.Parallel()
	const name = "newroot"
	mesh := readyMesh(t, name, nil)
	live := &corev1.Secret{ObjectMeta: inMeshNamespace(name, names.CABundleSecret)}
	get(t, live)
	old := string(live.Data[names.CABundleCert])
	next := authority(t, name)
	change(t, live, func(s *corev1.Secret) { s.Data = next.Data })

	webhook := &admissionv1.MutatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: names.MutatingWebhook(name)}}
	waitFor(t, webhook, func(w *admissionv1.MutatingWebhookConfiguration) error {
		bundle := string(w.Webhooks[0].ClientConfig.CABundle)
		if !strings.Contains(bundle, old) || !strings.Contains(bundle, string(next.Data[names.CABundleCert])) {
			return fmt.Errorf("the webhook does not trust both roots")
		}
		return nil
	})
	root, err := certificate.ParseRoot(next.Data[names.CABundleCert], next.Data[names.CABundleKey], time.Now())
	if err != nil {
		t.Fatal(err)
	}
	serving := &corev1.Secret{ObjectMeta: inMeshNamespace(name, secrets.InjectorCert)}
	waitFor(t, serving, func(s *corev1.Secret) error { return signedBy(s, root) })
	waitReady(t, mesh)
}

func TestInvalidServingCertificateIsReplaced(t *testing.T) {
	t.Parallel()
	const name = "badcert"
	mesh := readyMesh(t, name, nil)
	serving := &corev1.Secret{ObjectMeta: inMeshNamespace(name, secrets.ValidatorCert)}
	get(t, serving)
	earlier := string(serving.Data[corev1.TLSCertKey])
	change(t, serving, func(s *corev1.Secret) { s.Data[corev1.TLSPrivateKeyKey] = []byte("damaged") })
	waitFor(t, serving, func(s *corev1.Secret) error {
		if string(s.Data[corev1.TLSCertKey]) == earlier {
			return fmt.Errorf("the certificate was not replaced")
		}
		return nil
	})
	if serving.Type != corev1.SecretTypeTLS {
		t.Errorf("the Secret has type %s", serving.Type)
	}
	waitReady(t, mesh)
}

func TestTrustFollowsTheNamespaceLabel(t *testing.T) {
	t.Parallel()
	const name = "member"
	mesh := readyMesh(t, name, nil)
	shop := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "member-shop", Labels: map[string]string{names.MonitoredByLabel: name}}}
	create(t, shop)
	trust := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: shop.Name, Name: names.TrustConfigMap(name)}}
	waitFor(t, trust, func(*corev1.ConfigMap) error { return nil })
	eventually(t, func() error {
		get(t, mesh)
		if mesh.Status.Namespaces != 1 {
			return fmt.Errorf("status counts %d namespaces", mesh.Status.Namespaces)
		}
		return nil
	})
	change(t, trust, func(c *corev1.ConfigMap) { c.Data[names.CABundleCert] = "tampered" })
	waitFor(t, trust, func(c *corev1.ConfigMap) error {
		if c.Data[names.CABundleCert] == "tampered" {
			return fmt.Errorf("the trust was not restored")
		}
		return nil
	})
	change(t, shop, func(n *corev1.Namespace) { delete(n.Labels, names.MonitoredByLabel) })
	waitGone(t, trust)
}
