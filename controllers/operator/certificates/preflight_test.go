package certificates

import (
	"context"
	"crypto/x509"
	"fmt"
	"strings"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/certificate"
	"github.com/openservicemesh/osm-operator/internal/certificate/preflight"
	"github.com/openservicemesh/osm-operator/internal/certificate/rotation"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/operator/apply"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
	"github.com/openservicemesh/osm-operator/internal/testing/pki"
)

// running are the sidecars that a test sets.
type running []preflight.Sidecar

func (r running) RunningSidecars(context.Context, string) ([]preflight.Sidecar, error) { return r, nil }

// corporateRoot returns an authority below a root with limits.
func corporateRoot(t *testing.T, limit func(*x509.Certificate)) *certificate.Root {
	t.Helper()
	data := pki.NewLimitedCorporate(t, limit).Intermediate(t)
	root, err := certificate.Decode(map[string][]byte{
		certificate.TrustKey: data["ca.crt"], certificate.ChainKey: data[corev1.TLSCertKey], certificate.SignerKey: data[corev1.TLSPrivateKeyKey],
	})
	if err != nil {
		t.Fatal(err)
	}
	return root.In(identity.OneTrustDomain("cluster.local"))
}

// rotatingReconciler returns a reconciler of a mesh with a sidecar for each account of the namespace bank and one in the namespace shop. All
// have confirmed an authority.
func rotatingReconciler(t *testing.T, active *certificate.Root, accounts int, objects ...client.Object) *Reconciler {
	t.Helper()
	key, err := active.KeyPEM()
	if err != nil {
		t.Fatal(err)
	}
	live := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: names.ActiveCASecret, Annotations: map[string]string{changedAnnotation: "2026-01-01T00:00:00Z"}},
		Data:       map[string][]byte{names.CABundleCert: active.CertPEM(), names.CABundleKey: key},
	}
	trust := &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: names.TrustConfigMap("osm")}, Data: map[string]string{names.CABundleCert: string(active.CertPEM())},
	}
	r := newReconciler(t, append(objects, live, trust)...)
	r.Applier = apply.New(r.Client, r.Recorder)
	sidecars := running{{Name: "shop/web-0", Account: identity.ServiceAccount{Namespace: "shop", Name: "web"}}}
	for i := range accounts {
		account := identity.ServiceAccount{Namespace: "bank", Name: fmt.Sprintf("till-%03d", i)}
		sidecars = append(sidecars, preflight.Sidecar{Name: account.String(), Account: account})
	}
	replica := rotation.Replica{Name: "osm-controller-0", Issuer: active.Generation(), Trusted: active.Anchors(), Since: time.Now().Add(-time.Hour)}
	for _, s := range sidecars {
		replica.Proxies = append(replica.Proxies, rotation.Proxy{Name: s.Name, UsesCertificates: true, Synced: true, UpToDate: true, Issuer: active.Generation()})
	}
	r.Sidecars, r.Replicas = sidecars, observed{replica}
	return r
}

// rotatingPass returns a pass whose control planes report.
func rotatingPass(active *certificate.Root) *pass {
	p := passOf(active)
	p.revisions = []v1alpha1.MeshRevision{{Spec: v1alpha1.MeshRevisionSpec{Role: v1alpha1.RoleActive}}}
	return p
}

// Before anything is signed or distributed, the status lists each sidecar that would break, by its pod, with the reason: at most 100, and the number
// of the others.
func TestPreflightListsEachSidecarThatWouldBreak(t *testing.T) {
	active := corporateRoot(t, func(*x509.Certificate) {})
	desired := corporateRoot(t, func(c *x509.Certificate) { c.ExcludedDNSDomains = []string{"bank.cluster.local"} })
	r, p := rotatingReconciler(t, active, 120), rotatingPass(active)
	if err := r.rotate(t.Context(), p, p.root, desired); err != nil {
		t.Fatal(err)
	}
	if p.rotation == nil || p.rotation.Phase != rotation.AuthorityRejected || p.root.Generation() != active.Generation() || len(p.root.Anchors()) != 1 {
		t.Fatalf("the decision is %+v, %s issues and %v are trusted", p.rotation, p.root.Generation(), p.root.Anchors())
	}
	blockers := p.summarize().Blockers
	if len(blockers) != v1alpha1.MaxBlockers || blockers[v1alpha1.MaxBlockers-1] != "21 more" {
		t.Fatalf("%d blockers, the last is %q", len(blockers), blockers[len(blockers)-1])
	}
	if want := "the sidecar of bank/till-000 cannot use a certificate of the new authority"; !strings.HasPrefix(blockers[0], want) || !strings.Contains(blockers[0], "till-000.bank.cluster.local") {
		t.Errorf("the first blocker is %q, want %q", blockers[0], want)
	}
	if all := strings.Join(blockers, "\n"); strings.Contains(all, "shop/web") {
		t.Errorf("a sidecar that would not break is listed:\n%s", all)
	}
	if message := rotationMessage(*p.rotation); !strings.HasPrefix(message, "the mesh keeps its certificate authority, because") {
		t.Errorf("the message is %q", message)
	}
}

// An authority below the same root takes effect at once, unless it would break something.
func TestPreflightOfARenewedAuthority(t *testing.T) {
	corporate := pki.NewLimitedCorporate(t, func(c *x509.Certificate) { c.PermittedDNSDomains = []string{"corp.example"} })
	authority := func() *certificate.Root {
		data := corporate.Intermediate(t)
		root, err := certificate.Decode(map[string][]byte{
			certificate.TrustKey: data["ca.crt"], certificate.ChainKey: data[corev1.TLSCertKey], certificate.SignerKey: data[corev1.TLSPrivateKeyKey],
		})
		if err != nil {
			t.Fatal(err)
		}
		return root.In(identity.OneTrustDomain("cluster.local"))
	}
	active, renewed := authority(), authority()
	r, p := rotatingReconciler(t, active, 1), rotatingPass(active)
	if err := r.rotate(t.Context(), p, p.root, renewed); err != nil {
		t.Fatal(err)
	}
	if p.rotation.Phase != rotation.AuthorityRejected || p.root.Generation() != active.Generation() {
		t.Errorf("the phase is %s, %s issues", p.rotation.Phase, p.root.Generation())
	}
	// Both webhooks, the control plane and two sidecars.
	if got := p.summarize().Blockers; len(got) != 5 || !strings.Contains(got[0], "the webhook "+names.MutatingWebhook("osm")) || !strings.Contains(got[1], names.ValidatingWebhook("osm")) {
		t.Errorf("the blockers are %q", got)
	}
}

// A webhook that the operator may not update would break as soon as its server has a certificate of the new root. It holds the rotation and is named.
func TestWebhookThatIsNotUpdatedHoldsTheRotation(t *testing.T) {
	old, next := validRoot(t).In(identity.OneTrustDomain("cluster.local")), validRoot(t).In(identity.OneTrustDomain("cluster.local"))
	both := old.Trusting(append(old.Trusted(), next.Trusted()...))
	hook := &admissionv1.MutatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: names.MutatingWebhook("osm"), Annotations: map[string]string{names.DriftAnnotation: names.DriftIgnore}},
		Webhooks:   []admissionv1.MutatingWebhook{{Name: "osm-inject.k8s.io", ClientConfig: admissionv1.WebhookClientConfig{CABundle: old.CertPEM()}}},
	}
	r, p := rotatingReconciler(t, both, 0, hook), rotatingPass(both)
	if err := r.rotate(t.Context(), p, p.root, next); err != nil {
		t.Fatal(err)
	}
	if p.rotation.Phase != rotation.WaitingForTrust || len(p.rotation.Waiting) != 1 || !strings.Contains(p.rotation.Waiting[0], "drift=ignore keeps the operator from updating it") {
		t.Fatalf("the decision is %+v", p.rotation)
	}
	hook.Webhooks[0].ClientConfig.CABundle = both.CertPEM()
	live := &admissionv1.MutatingWebhookConfiguration{}
	if err := r.Client.Get(t.Context(), client.ObjectKeyFromObject(hook), live); err != nil {
		t.Fatal(err)
	}
	live.Webhooks = hook.Webhooks
	if err := r.Client.Update(t.Context(), live); err != nil {
		t.Fatal(err)
	}
	if err := r.rotate(t.Context(), p, p.root, next); err != nil || p.rotation.Phase != rotation.Switching {
		t.Errorf("the phase is %s after the webhook was updated by hand, %v", p.rotation.Phase, err)
	}
}
