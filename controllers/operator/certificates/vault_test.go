package certificates

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/certificate"
	"github.com/openservicemesh/osm-operator/internal/certificate/vault"
	"github.com/openservicemesh/osm-operator/internal/operator/apply"
	"github.com/openservicemesh/osm-operator/internal/operator/desired"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
	"github.com/openservicemesh/osm-operator/internal/testing/pki"
)

// fakeVault signs for a lifetime of 90 days, unless it is sealed.
type fakeVault struct {
	t      *testing.T
	root   *pki.Corporate
	sealed bool
	calls  []vault.Server
}

func (f *fakeVault) Sign(_ context.Context, server vault.Server, request []byte, _ string, _ time.Duration) (vault.Issued, error) {
	f.calls = append(f.calls, server)
	if f.sealed {
		return vault.Issued{}, errors.New("status 503: Vault is sealed")
	}
	return vault.Issued{Chain: f.root.SignRequest(f.t, request), Roots: f.root.CertPEM()}, nil
}

// vaultPass returns a reconciler and a pass of a mesh whose authority a Vault signs.
func vaultPass(t *testing.T, spec v1alpha1.VaultSpec) (*Reconciler, *fakeVault, func() *pass) {
	t.Helper()
	token := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "osm-vault-token"}, Data: map[string][]byte{"token": []byte("s.secret\n")}}
	r := newReconciler(t, token)
	r.Applier = apply.New(r.Client, r.Recorder)
	signer := &fakeVault{t: t, root: pki.NewCorporate(t)}
	r.Vault = signer
	r.Tokens = func(_ context.Context, audience string) (string, error) { return "jwt for " + audience, nil }
	mesh := &v1alpha1.Mesh{ObjectMeta: metav1.ObjectMeta{Name: "osm", UID: "1"}}
	mesh.Spec.Certificates = &v1alpha1.CertificatesSpec{Provider: ptr.To(v1alpha1.ProviderVault), Vault: &spec}
	active := validRoot(t)
	return r, signer, func() *pass { return &pass{mesh: mesh, desired: desired.StateOf(mesh, "v0.1.0"), root: active} }
}

// A Vault signs once, again at two thirds of the lifetime, and its last authority is used while it is sealed.
func TestVaultSignsTheAuthority(t *testing.T) {
	r, signer, next := vaultPass(t, v1alpha1.VaultSpec{Address: "https://vault:8200", TokenSecretRef: &v1alpha1.SecretKeyReference{Name: "osm-vault-token", Key: "token"}})
	read := func() (*certificate.Root, *delegation) {
		t.Helper()
		s := next()
		root, err := r.desiredRoot(t.Context(), s)
		if err != nil {
			t.Fatal(err)
		}
		return root, s.delegation
	}
	signer.sealed = true
	if root, d := read(); root.Generation() != next().root.Generation() || !strings.Contains(d.message, "sealed; the mesh keeps its certificate authority until") {
		t.Errorf("while the Vault is sealed, %s issues: %s", root.Generation(), d.message)
	}
	signer.sealed = false
	first, d := read()
	if d.reason != "" || string(first.CertPEM()) != string(signer.root.CertPEM()) {
		t.Errorf("the root is not that of the Vault: %+v", d)
	}
	if server := signer.calls[0]; server.Token != "s.secret" || server.Mount != "pki" || server.Role != "" {
		t.Errorf("the Vault is %+v", server)
	}
	calls := len(signer.calls)
	if again, _ := read(); again.Generation() != first.Generation() || len(signer.calls) != calls {
		t.Error("the authority is signed again without need")
	}
	signer.sealed = true
	r.Now = func() time.Time { return time.Now().Add(61 * 24 * time.Hour) }
	if kept, d := read(); kept.Generation() != first.Generation() || d.reason != v1alpha1.ReasonNotIssued || !strings.Contains(d.message, "is used until") {
		t.Errorf("after 61 days with a sealed Vault %s issues: %+v", kept.Generation(), d)
	}
	signer.sealed = false
	if renewed, _ := read(); renewed.Generation() == first.Generation() {
		t.Error("the authority is not renewed after 61 of 90 days")
	}
}

// Clusters that share a Vault do not try it again at the same time.
func TestRetriesOfIssuersAreSpread(t *testing.T) {
	r, signer, next := vaultPass(t, v1alpha1.VaultSpec{Address: "https://vault:8200", Kubernetes: &v1alpha1.VaultKubernetesAuth{Role: "mesh"}})
	signer.sealed = true
	for jitter, want := range map[float64]time.Duration{0: 15 * time.Second, 0.5: 22500 * time.Millisecond} {
		r.Jitter = func() float64 { return jitter }
		s := next()
		if _, err := r.desiredRoot(t.Context(), s); err != nil || s.Requeue != want {
			t.Errorf("with jitter %v the next attempt is after %s, %v, want %s", jitter, s.Requeue, err, want)
		}
	}
}

func TestVaultAuthenticatesTheOperator(t *testing.T) {
	r, signer, next := vaultPass(t, v1alpha1.VaultSpec{Address: "https://vault:8200", Mount: ptr.To("pki_mesh"), Kubernetes: &v1alpha1.VaultKubernetesAuth{Role: "mesh"}})
	if _, err := r.desiredRoot(t.Context(), next()); err != nil {
		t.Fatal(err)
	}
	want := vault.Server{Address: "https://vault:8200", Mount: "pki_mesh", Role: "mesh", AuthMount: "kubernetes", JWT: "jwt for vault"}
	if signer.calls[0] != want {
		t.Errorf("the Vault is %+v, want %+v", signer.calls[0], want)
	}
}

// A MeshRootCertificate has the defaults of OSM, and uses no Secret of another namespace.
func TestVaultOfAMeshRootCertificate(t *testing.T) {
	r, signer, next := vaultPass(t, v1alpha1.VaultSpec{})
	root := mrc(1, configv1alpha2.RoleActive, "of-vault")
	reference := configv1alpha2.VaultTokenReference{Name: "osm-vault-token", Key: "token", Namespace: namespace}
	root.Spec.Provider = configv1alpha2.RootProvider{Vault: &configv1alpha2.VaultProvider{Host: "vault.vault", Role: "openservicemesh", Token: configv1alpha2.VaultToken{SecretKeyRef: reference}}}
	other := mrc(2, configv1alpha2.RolePassive, "other")
	other.Spec.Provider = *root.Spec.Provider.DeepCopy()
	other.Spec.Provider.Vault.Token.SecretKeyRef.Namespace = "kube-system"
	for _, object := range []*configv1alpha2.MeshRootCertificate{root, other} {
		if err := r.Client.Create(t.Context(), object); err != nil {
			t.Fatal(err)
		}
	}
	s := next()
	s.desired.DeclaresAuthority = false
	issued, err := r.desiredRoot(t.Context(), s)
	if err != nil || issued.Anchors()[0] == s.root.Anchors()[0] {
		t.Fatalf("the root is %v, %v, want that of the Vault", issued, err)
	}
	if want := (vault.Server{Address: "http://vault.vault:8200", Mount: "pki", Token: "s.secret"}); len(signer.calls) != 1 || signer.calls[0] != want {
		t.Errorf("the Vault is %+v, want %+v", signer.calls, want)
	}
	if d := s.declared[1]; d.problem == nil || !strings.Contains(d.problem.Error(), "kube-system/osm-vault-token is in another namespace") {
		t.Errorf("the problem is %v", d.problem)
	}
	if s.declared[0].status.Secret != names.FirstDeclaredCA {
		t.Errorf("its Secret is %q", s.declared[0].status.Secret)
	}
}
