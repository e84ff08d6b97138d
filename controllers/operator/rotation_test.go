package operator_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/certificate"
	"github.com/openservicemesh/osm-operator/internal/operator/secrets"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// rootOf decodes a Secret with a certificate authority.
func rootOf(t *testing.T, secret *corev1.Secret) *certificate.Root {
	t.Helper()
	root, err := certificate.Decode(secret.Data)
	if err != nil {
		t.Fatal(err)
	}
	return root
}

// activeRoot reads the certificate authority that the control plane of a mesh uses.
func activeRoot(t *testing.T, mesh string) *certificate.Root {
	t.Helper()
	secret := &corev1.Secret{ObjectMeta: inMeshNamespace(mesh, names.ActiveCASecret)}
	get(t, secret)
	return rootOf(t, secret)
}

// waitActive waits until the active authority has an issuer and trusts a number of certificates.
func waitActive(t *testing.T, mesh, issuer string, trusted int) {
	t.Helper()
	eventually(t, func() error {
		if active := activeRoot(t, mesh); active.Generation() != issuer || len(active.Anchors()) != trusted {
			return fmt.Errorf("%s issues and %v are trusted, want %s and %d", active.Generation(), active.Anchors(), issuer, trusted)
		}
		return nil
	})
}

// waitRotated waits until a rotation is over.
func waitRotated(t *testing.T, mesh *v1alpha1.Mesh) {
	t.Helper()
	eventually(t, func() error {
		get(t, mesh)
		if c := meta.FindStatusCondition(mesh.Status.Conditions, v1alpha1.ConditionRotatingAuthority); c != nil {
			return fmt.Errorf("%s: %s", c.Reason, c.Message)
		}
		return nil
	})
}

// waitCertificates waits until the status of a mesh has an issuer, a number of roots, both webhooks, and exactly some blockers.
func waitCertificates(t *testing.T, mesh *v1alpha1.Mesh, issuer *certificate.Root, roots int, blockers ...string) {
	t.Helper()
	eventually(t, func() error {
		get(t, mesh)
		got := mesh.Status.Certificates
		if got == nil || got.Issuer.Fingerprint != issuer.Generation() || !got.Issuer.NotAfter.Time.Equal(issuer.NotAfter()) || len(got.Roots) != roots ||
			len(got.Webhooks) != 2 || !slices.Equal(got.Blockers, blockers) {
			return fmt.Errorf("the status has %+v", got)
		}
		return nil
	})
}

// The Secret with the certificate authority is replaced in one step, as users do. The mesh trusts both before the new one issues, waits
// for a sidecar that lags and names it, goes on after a restart of the operator, and withdraws the old one.
func TestReplacedAuthorityBecomesARotation(t *testing.T) {
	const name = "newauthority"
	mesh := readyMesh(t, name, nil)
	old := activeRoot(t, name)
	cluster.health.lag(meshNamespace(name), "shop/stopped")
	desired := authority(t, name)
	next := rootOf(t, desired)
	change(t, &corev1.Secret{ObjectMeta: inMeshNamespace(name, names.CABundleSecret)}, func(s *corev1.Secret) { s.Data = desired.Data })

	waitActive(t, name, old.Generation(), 2)
	c := waitCondition(t, mesh, v1alpha1.ConditionRotatingAuthority, metav1.ConditionTrue, v1alpha1.ReasonWaitingForTrust)
	assertContains(t, c.Message, "the sidecar of shop/stopped has not acknowledged the new root")
	waitCertificates(t, mesh, old, 2, "the sidecar of shop/stopped has not acknowledged the new root")
	trust := &corev1.ConfigMap{ObjectMeta: inMeshNamespace(name, names.TrustConfigMap(name))}
	waitFor(t, trust, func(m *corev1.ConfigMap) error {
		if got := m.Data[names.CABundleCert]; got != string(old.CertPEM())+string(next.CertPEM()) {
			return fmt.Errorf("the distributed trust is\n%s", got)
		}
		return nil
	})
	cluster.restart(t)
	waitCondition(t, mesh, v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady)
	if got := activeRoot(t, name).Generation(); got != old.Generation() {
		t.Fatalf("%s issues although a sidecar lags", got)
	}

	cluster.health.lag(meshNamespace(name), "")
	waitActive(t, name, next.Generation(), 1)
	waitRotated(t, mesh)
	waitCertificates(t, mesh, next, 1)
	for secret, service := range map[string]string{secrets.InjectorCert: names.Injector, secrets.ValidatorCert: names.Validator} {
		waitFor(t, &corev1.Secret{ObjectMeta: inMeshNamespace(name, secret)}, func(s *corev1.Secret) error { return signedBy(s, next) })
		waitRenewed(t, name, secret, service)
	}
	waitFor(t, trust, func(m *corev1.ConfigMap) error {
		if got := m.Data[names.CABundleCert]; got != string(next.CertPEM()) {
			return fmt.Errorf("the distributed trust is\n%s", got)
		}
		return nil
	})
}

// neverConnected creates a MeshPeer of a mesh whose peer has never been connected.
func neverConnected(t *testing.T, mesh, name string, root *certificate.Root) {
	t.Helper()
	create(t, &v1alpha1.MeshPeer{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: v1alpha1.MeshPeerSpec{
			Mesh: mesh, TrustDomain: "east.example", Trust: v1alpha1.PeerTrust{CABundle: v1alpha1.CABundle(root.CertPEM())},
			Gateways: []v1alpha1.PeerGatewayAddress{{Address: "192.0.2.1"}},
		},
	})
}

// A sidecar and a peer hold a rotation, perhaps on purpose. The mesh goes on without the namespace of the one, and without the other.
func TestRotationWithoutANamespace(t *testing.T) {
	t.Parallel()
	const name = "rotatewithout"
	mesh := readyMesh(t, name, func(m *v1alpha1.MeshSpec) {
		m.PeerGateway = &v1alpha1.PeerGatewaySpec{Mode: ptr.To(v1alpha1.PeerGatewayManaged)}
	})
	old := activeRoot(t, name)
	neverConnected(t, name, "away", old)
	cluster.health.lag(meshNamespace(name), "hostile/stopped")
	desired := authority(t, name)
	change(t, &corev1.Secret{ObjectMeta: inMeshNamespace(name, names.CABundleSecret)}, func(s *corev1.Secret) { s.Data = desired.Data })
	waitActive(t, name, old.Generation(), 2)
	c := waitCondition(t, mesh, v1alpha1.ConditionRotatingAuthority, metav1.ConditionTrue, v1alpha1.ReasonWaitingForTrust)
	assertContains(t, c.Message, "the sidecar of hostile/stopped has not acknowledged the new root")
	const peer = "the peer away has no status yet, so it cannot acknowledge the new root: connect it, or add it to spec.certificates.rotateWithoutPeers"
	assertContains(t, c.Message, peer)
	c = waitCondition(t, mesh, v1alpha1.ConditionPeersReady, metav1.ConditionUnknown, v1alpha1.ReasonProgressing)
	assertContains(t, c.Message, "1 of 1 peers are not ready: away has no status yet")
	waitReady(t, mesh)
	change(t, mesh, func(m *v1alpha1.Mesh) {
		m.Spec.Certificates = &v1alpha1.CertificatesSpec{RotateWithout: []string{"hostile"}}
	})
	waitCertificates(t, mesh, old, 2, peer)
	change(t, mesh, func(m *v1alpha1.Mesh) { m.Spec.Certificates.RotateWithoutPeers = []string{"away"} })
	waitActive(t, name, rootOf(t, desired).Generation(), 1)
	waitRotated(t, mesh)
}

// The old authority is put back while the new one is being distributed.
func TestRotationGoesBack(t *testing.T) {
	t.Parallel()
	const name = "rotateback"
	mesh := readyMesh(t, name, nil)
	old := activeRoot(t, name)
	secret := &corev1.Secret{ObjectMeta: inMeshNamespace(name, names.CABundleSecret)}
	get(t, secret)
	before := secret.DeepCopy()
	cluster.health.lag(meshNamespace(name), "shop/stopped")
	change(t, secret, func(s *corev1.Secret) { s.Data = authority(t, name).Data })
	waitActive(t, name, old.Generation(), 2)
	change(t, secret, func(s *corev1.Secret) { s.Data = before.Data })
	cluster.health.lag(meshNamespace(name), "")
	waitActive(t, name, old.Generation(), 1)
	waitRotated(t, mesh)
}

// Nobody can be asked under an authority that has expired, and nothing works that could break.
func TestThreat44ExpiredAuthorityIsReplacedWithoutProof(t *testing.T) {
	t.Parallel()
	const name = "rotateexpired"
	mesh := readyMesh(t, name, nil)
	cluster.health.lag(meshNamespace(name), "shop/stopped")
	expired, err := certificate.NewRoot(certificate.KeySpec{}, time.Now().Add(-88000*time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	data, err := expired.Encode()
	if err != nil {
		t.Fatal(err)
	}
	secret := &corev1.Secret{ObjectMeta: inMeshNamespace(name, names.CABundleSecret)}
	get(t, secret)
	next := rootOf(t, secret)
	change(t, &corev1.Secret{ObjectMeta: inMeshNamespace(name, names.ActiveCASecret)}, func(s *corev1.Secret) { s.Data = data })
	waitActive(t, name, next.Generation(), 2)
	cluster.health.lag(meshNamespace(name), "")
	waitActive(t, name, next.Generation(), 1)
	waitRotated(t, mesh)
}

// A new value of rotateRoot makes a new root. The earlier value goes back to the earlier root while the rotation is in progress.
func TestRootIsRotatedByDeclaration(t *testing.T) {
	t.Parallel()
	const name = "rotateroot"
	mesh := readyMesh(t, name, nil)
	declare := func(value *string) {
		change(t, mesh, func(m *v1alpha1.Mesh) { m.Spec.Certificates = &v1alpha1.CertificatesSpec{RotateRoot: value} })
	}
	first := activeRoot(t, name)
	declare(ptr.To("2026-11"))
	eventually(t, func() error {
		if active := activeRoot(t, name); active.Generation() == first.Generation() || len(active.Anchors()) != 1 {
			return fmt.Errorf("%s issues", active.Generation())
		}
		return nil
	})
	waitRotated(t, mesh)
	second := activeRoot(t, name)
	desired := &corev1.Secret{ObjectMeta: inMeshNamespace(name, names.CABundleSecret)}
	waitFor(t, desired, func(s *corev1.Secret) error {
		if len(s.Data) != 2 {
			return fmt.Errorf("the earlier root is kept after the rotation: %d keys", len(s.Data))
		}
		return nil
	})

	cluster.health.lag(meshNamespace(name), "shop/stopped")
	declare(ptr.To("2026-12"))
	waitActive(t, name, second.Generation(), 2)
	declare(ptr.To("2026-11"))
	// Once all sidecars trust the new root, the rotation may end before the operator sees the value, which then is a new one.
	waitFor(t, desired, func(s *corev1.Secret) error {
		if got := rootOf(t, s); got.Generation() != second.Generation() {
			return fmt.Errorf("the desired root is %s", got.Generation())
		}
		return nil
	})
	cluster.health.lag(meshNamespace(name), "")
	waitActive(t, name, second.Generation(), 1)
	waitRotated(t, mesh)

	declare(nil)
	waitCondition(t, mesh, v1alpha1.ConditionCertificatesReady, metav1.ConditionTrue, v1alpha1.ReasonCertificatesValid)
	if got := activeRoot(t, name); got.Generation() != second.Generation() {
		t.Errorf("%s issues after the value was removed, want %s", got.Generation(), second.Generation())
	}
}
