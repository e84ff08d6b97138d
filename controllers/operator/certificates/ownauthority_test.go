package certificates

import (
	"context"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/internal/certificate"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
	"github.com/openservicemesh/osm-operator/internal/testing/pki"
)

// osm-ca-bundle may have an intermediate authority with its chain. It issues, peers get the chain, and only its root is trusted.
func TestOwnIntermediateWithItsChain(t *testing.T) {
	corporate := pki.NewCorporate(t)
	data := corporate.Intermediate(t)
	bundle := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: names.CABundleSecret}, Data: map[string][]byte{
		certificate.TrustKey: corporate.CertPEM(), certificate.ChainKey: data[corev1.TLSCertKey], certificate.SignerKey: data[corev1.TLSPrivateKeyKey],
	}}
	r := newReconciler(t, bundle)
	got, err := r.desiredRoot(t.Context(), passOf(validRoot(t)))
	if err != nil {
		t.Fatal(err)
	}
	if string(got.CertPEM()) != string(corporate.CertPEM()) || len(got.Path()) != 2 || got.Anchor() == got.Generation() {
		t.Errorf("%d certificates lead to %s, and the mesh trusts\n%s", len(got.Path()), got.Anchor(), got.CertPEM())
	}
	leaf, err := certificate.NewIssuer(got, certificate.KeySpec{}, time.Now).Server([]string{"x"}, time.Hour)
	if err != nil || strings.Count(string(leaf.ChainPEM), "BEGIN") != 2 {
		t.Errorf("peers get %d certificates (%v), want the leaf and the intermediate", strings.Count(string(leaf.ChainPEM), "BEGIN"), err)
	}
}

// Whoever may write a MeshRootCertificate gets nothing out of Secrets of other namespaces: they are not read.
func TestThreat8SecretsOfOtherNamespacesAreNotRead(t *testing.T) {
	other := mrc(2, configv1alpha2.RoleActive, "other")
	other.Spec.Provider.Tresor.CA.SecretRef.Namespace = "kube-system"
	vault := mrc(3, configv1alpha2.RolePassive, "vault")
	token := configv1alpha2.VaultTokenReference{Name: "token", Key: "token", Namespace: "kube-system"}
	vault.Spec.Provider = configv1alpha2.RootProvider{Vault: &configv1alpha2.VaultProvider{Host: "vault", Token: configv1alpha2.VaultToken{SecretKeyRef: token}}}
	active := validRoot(t)
	r := newReconciler(t, rootSecret(t, names.CABundleSecret, active), other, vault)
	guarded := interceptor.NewClient(r.Client.(client.WithWatch), interceptor.Funcs{
		Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, object client.Object, options ...client.GetOption) error {
			if _, isSecret := object.(*corev1.Secret); isSecret && key.Namespace != namespace {
				t.Errorf("the Secret %s is read", key)
			}
			return c.Get(ctx, key, object, options...)
		},
	})
	r.Client, r.Live, r.Secrets = guarded, guarded, uncached{guarded}
	p := passOf(active)
	root, err := r.desiredRoot(t.Context(), p)
	if err != nil || root.Generation() != active.Generation() {
		t.Fatalf("the root is %v, %v, want the present one", root, err)
	}
	for i := range p.declared {
		if d := p.declared[i]; d.problem == nil || !strings.Contains(d.problem.Error(), "is in another namespace") {
			t.Errorf("the problem of %s is %v", d.object.Name, d.problem)
		}
	}
}
