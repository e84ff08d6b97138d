package certificates

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/certificate"
	"github.com/openservicemesh/osm-operator/internal/certificate/certmanager"
	"github.com/openservicemesh/osm-operator/internal/certificate/rotation"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/operator/desired"
	"github.com/openservicemesh/osm-operator/internal/operator/observe"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
	"github.com/openservicemesh/osm-operator/internal/testing/pki"
)

// namespace is the namespace of the mesh in these tests.
const namespace = "osm-system"

// uncached reads Secrets without watches.
type uncached struct{ client.Client }

func (u uncached) Get(ctx context.Context, namespace, name string) (*corev1.Secret, error) {
	secret := &corev1.Secret{}
	err := u.Client.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, secret)
	if err != nil {
		return nil, client.IgnoreNotFound(err)
	}
	return secret, nil
}

func (uncached) Sources(func(context.Context, *corev1.Secret) []reconcile.Request) []source.Source {
	return nil
}

// newReconciler returns a reconciler of objects in memory. The kinds of cert-manager are served.
func newReconciler(t *testing.T, objects ...client.Object) *Reconciler {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), v1alpha1.AddToScheme(scheme), configv1alpha2.AddToScheme(scheme)); err != nil {
		t.Fatal(err)
	}
	kind := certmanager.Reference("", "").GroupVersionKind()
	scheme.AddKnownTypeWithName(kind, &unstructured.Unstructured{})
	scheme.AddKnownTypeWithName(kind.GroupVersion().WithKind("CertificateList"), &unstructured.UnstructuredList{})
	c := fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).WithStatusSubresource(&configv1alpha2.MeshRootCertificate{}).Build()
	return &Reconciler{
		Cluster:  &observe.Cluster{Client: c, Live: c, Secrets: uncached{c}, Now: time.Now},
		Recorder: events.NewFakeRecorder(100), Jitter: func() float64 { return 0 },
	}
}

// passOf returns a pass of a mesh that has an active root.
func passOf(active *certificate.Root) *pass {
	mesh := &v1alpha1.Mesh{ObjectMeta: metav1.ObjectMeta{Name: "osm", UID: "1"}}
	desired := desired.StateOf(mesh, "v0.1.0")
	if active != nil {
		active = active.In(identity.OneTrustDomain(desired.TrustDomain))
	}
	return &pass{mesh: mesh, desired: desired, issuedDomain: desired.TrustDomain, root: active}
}

// mrc returns a MeshRootCertificate of a Secret. Later numbers are younger.
func mrc(number int, role configv1alpha2.RootRole, secret string) *configv1alpha2.MeshRootCertificate {
	created := metav1.NewTime(time.Date(2026, 1, number, 0, 0, 0, 0, time.UTC))
	return &configv1alpha2.MeshRootCertificate{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: secret, CreationTimestamp: created},
		Spec: configv1alpha2.MeshRootCertificateSpec{Role: role, Provider: configv1alpha2.RootProvider{
			Tresor: &configv1alpha2.TresorProvider{CA: configv1alpha2.TresorCA{SecretRef: corev1.SecretReference{Name: secret}}},
		}},
	}
}

// delegatedMRC returns a MeshRootCertificate of an issuer of cert-manager.
func delegatedMRC(number int, role configv1alpha2.RootRole, issuer string) *configv1alpha2.MeshRootCertificate {
	m := mrc(number, role, issuer)
	m.Spec.Provider = configv1alpha2.RootProvider{CertManager: &configv1alpha2.CertManagerProvider{IssuerName: issuer, IssuerKind: "ClusterIssuer"}}
	return m
}

// rootSecret returns the Secret of a root.
func rootSecret(t *testing.T, name string, root *certificate.Root) *corev1.Secret {
	t.Helper()
	key, err := root.KeyPEM()
	if err != nil {
		t.Fatal(err)
	}
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Data:       map[string][]byte{names.CABundleCert: root.CertPEM(), names.CABundleKey: key},
	}
}

// validRoot returns a root that is valid now.
func validRoot(t *testing.T) *certificate.Root {
	t.Helper()
	root, err := certificate.NewRoot(certificate.KeySpec{}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return root
}

// One declared root issues, all are trusted, and nothing is withdrawn while one of them cannot be used.
func TestDeclaredRoots(t *testing.T) {
	a, b := validRoot(t), validRoot(t)
	bundles := []client.Object{rootSecret(t, names.CABundleSecret, a), rootSecret(t, "b", b)}
	elsewhere := mrc(2, configv1alpha2.RolePassive, "b")
	elsewhere.Spec.Provider.Tresor.CA.SecretRef.Namespace = "kube-system"
	subdomain := mrc(2, configv1alpha2.RoleActive, "b")
	subdomain.Spec.TrustDomain = "east.cluster.local"
	for name, test := range map[string]struct {
		declared []client.Object
		active   *certificate.Root
		issuer   *certificate.Root
		trusted  []*certificate.Root
		states   map[string]string
		problem  string
	}{
		"released versions of OSM have no roles": {
			[]client.Object{mrc(1, "", names.CABundleSecret)}, a, a, []*certificate.Root{a}, map[string]string{names.CABundleSecret: "active"}, "",
		},
		"a passive root is trusted": {
			[]client.Object{mrc(1, configv1alpha2.RoleActive, names.CABundleSecret), mrc(2, configv1alpha2.RolePassive, "b")},
			a, a,
			[]*certificate.Root{a, b},
			map[string]string{names.CABundleSecret: "active", "b": "validatingRollout"},
			"",
		},
		"the newer of two active ones issues": {
			[]client.Object{mrc(1, configv1alpha2.RoleActive, names.CABundleSecret), mrc(2, configv1alpha2.RoleActive, "b")},
			a, b,
			[]*certificate.Root{b, a},
			map[string]string{names.CABundleSecret: "issuingRollback", "b": "validatingRollout"},
			"",
		},
		"an inactive root is withdrawn": {
			[]client.Object{mrc(1, configv1alpha2.RoleInactive, names.CABundleSecret), mrc(2, configv1alpha2.RoleActive, "b")},
			b, b,
			[]*certificate.Root{b},
			map[string]string{names.CABundleSecret: "inactive", "b": "active"},
			"",
		},
		"without an active one the mesh keeps its own": {
			[]client.Object{mrc(2, configv1alpha2.RolePassive, "b")}, a, a, []*certificate.Root{a, b}, map[string]string{"b": "validatingRollout"}, "",
		},
		"a Secret of another namespace": {
			[]client.Object{mrc(1, configv1alpha2.RoleActive, names.CABundleSecret), elsewhere},
			a.Trusting(append(a.Trusted(), b.Trusted()...)), a,
			[]*certificate.Root{a, b},
			map[string]string{names.CABundleSecret: "active", "b": "error"},
			"copy it to the namespace osm-system",
		},
		"a subdomain of the trust domain": {
			[]client.Object{mrc(1, configv1alpha2.RoleActive, names.CABundleSecret), subdomain},
			a, a,
			[]*certificate.Root{a},
			map[string]string{names.CABundleSecret: "active", "b": "error"},
			"one is a subdomain of the other",
		},
		"a third one is not used": {
			[]client.Object{mrc(1, configv1alpha2.RoleActive, names.CABundleSecret), mrc(2, configv1alpha2.RolePassive, "b"), mrc(3, configv1alpha2.RoleActive, "c")},
			a, a,
			[]*certificate.Root{a, b},
			map[string]string{names.CABundleSecret: "active", "c": "error"},
			"",
		},
	} {
		t.Run(name, func(t *testing.T) {
			r, p := newReconciler(t, append(slices.Clone(bundles), test.declared...)...), passOf(test.active)
			got, err := r.desiredRoot(t.Context(), p)
			if err != nil {
				t.Fatal(err)
			}
			var want []string
			for _, root := range test.trusted {
				want = append(want, root.Anchors()...)
			}
			if got.Generation() != test.issuer.Generation() || !slices.Equal(got.Anchors(), want) {
				t.Errorf("%s issues and %v are trusted, want %s and %v", got.Generation(), got.Anchors(), test.issuer.Generation(), want)
			}
			if problem := errors.Join(p.problem, errors.New("")).Error(); !strings.Contains(problem, test.problem) || (p.problem == nil) != (test.problem == "") {
				t.Errorf("the problem is %v, want %q", p.problem, test.problem)
			}
			if err := r.writeStates(t.Context(), p); err != nil {
				t.Fatal(err)
			}
			for name, state := range test.states {
				live := &configv1alpha2.MeshRootCertificate{}
				if err := r.Client.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: name}, live); err != nil {
					t.Fatal(err)
				}
				if live.Status.State != state {
					t.Errorf("%s is %s, want %s: %+v", name, live.Status.State, state, live.Status.Conditions)
				}
			}
		})
	}
}

// The states follow a rotation.
func TestStatesDuringARotation(t *testing.T) {
	a, b := validRoot(t), validRoot(t)
	both := a.Trusting(append(a.Trusted(), b.Trusted()...))
	issuing := &declared{object: mrc(2, "", "b"), status: &configv1alpha2.MeshRootCertificateStatus{Root: b.Anchor()}, inUse: true, issues: true, root: b}
	withdrawn := &declared{object: mrc(1, configv1alpha2.RoleInactive, "a"), status: &configv1alpha2.MeshRootCertificateStatus{Root: a.Anchor()}}
	for name, test := range map[string]struct {
		active    *certificate.Root
		phase     rotation.Phase
		issuing   string
		withdrawn string
	}{
		"trust":    {both, rotation.WaitingForTrust, "validatingRollout", "validatingRollback"},
		"renewal":  {b.Trusting(both.Trusted()), rotation.WaitingForRenewal, "issuingRollout", "validatingRollback"},
		"it ended": {b, "", "active", "inactive"},
	} {
		t.Run(name, func(t *testing.T) {
			p := &pass{root: test.active}
			if test.phase != "" {
				p.rotation = &rotation.Decision{Phase: test.phase}
			}
			for d, want := range map[*declared]string{issuing: test.issuing, withdrawn: test.withdrawn} {
				if got, done := p.stateOf(d); got != want || done != (test.phase == "") {
					t.Errorf("%s is %s (done: %t), want %s", d.object.Name, got, done, want)
				}
			}
		})
	}
}

// Each issuer has a Secret of its own, which it keeps when the other one ends.
func TestDeclaredIssuersHaveTheirOwnSecrets(t *testing.T) {
	first, second := pki.NewCorporate(t), pki.NewCorporate(t)
	issued := func(name string, authority *pki.Corporate) *corev1.Secret {
		return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}, Data: authority.Intermediate(t)}
	}
	old, next := delegatedMRC(1, configv1alpha2.RoleInactive, "old"), delegatedMRC(2, configv1alpha2.RoleActive, "next")
	next.Status.Secret = names.SecondDeclaredCA
	r := newReconciler(t, old, next, issued(names.FirstDeclaredCA, first), issued(names.SecondDeclaredCA, second))
	p := passOf(validRoot(t))
	got, err := r.desiredRoot(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	if string(got.CertPEM()) != string(second.CertPEM()) {
		t.Error("the mesh does not use the authority of the issuer that is active")
	}
	if p.requests(names.FirstDeclaredCA) || !p.requests(names.SecondDeclaredCA) {
		t.Error("the Secret of the inactive issuer is requested, or that of the active one is not")
	}
	request := certmanager.Reference(namespace, names.SecondDeclaredCA)
	if err := r.Client.Get(t.Context(), client.ObjectKeyFromObject(request), request); err != nil {
		t.Error(err)
	}
}

// A root that does not exist is created once, as in OSM.
func TestMissingRootIsCreated(t *testing.T) {
	r := newReconciler(t, mrc(1, configv1alpha2.RoleActive, names.FirstCABundleSecret))
	first, err := r.desiredRoot(t.Context(), passOf(nil))
	if err != nil {
		t.Fatal(err)
	}
	again, err := r.desiredRoot(t.Context(), passOf(first))
	if err != nil || again.Generation() != first.Generation() {
		t.Errorf("the second root is %v, %v, want %s", again.Generation(), err, first.Generation())
	}
}

// An admission policy denies the creation of others.
func TestMissingRootOfAnotherNameIsNotCreated(t *testing.T) {
	r := newReconciler(t, mrc(1, configv1alpha2.RoleActive, "ours"))
	_, err := r.desiredRoot(t.Context(), passOf(nil))
	if err == nil || !strings.Contains(err.Error(), "the Secret "+namespace+"/ours does not exist: create it with ca.crt and private.key") {
		t.Errorf("the error of a root that does not exist is %v", err)
	}
}

// The Mesh decides if it declares a provider.
func TestMeshTakesPrecedenceOverDeclaredRoots(t *testing.T) {
	a, b := validRoot(t), validRoot(t)
	r := newReconciler(t, rootSecret(t, names.CABundleSecret, a), rootSecret(t, "b", b), mrc(1, configv1alpha2.RoleActive, "b"))
	p := passOf(a)
	p.desired.DeclaresAuthority = true
	got, err := r.desiredRoot(t.Context(), p)
	if err != nil || got.Generation() != a.Generation() {
		t.Errorf("the root is %v, %v, want that of the Mesh", got, err)
	}
	if d := p.declared[0]; d.problem == nil || !strings.Contains(d.problem.Error(), "which takes precedence") {
		t.Errorf("the problem is %v", d.problem)
	}
}
