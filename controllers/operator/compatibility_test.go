package operator_test

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
)

// TestSkippedVersionIsRejected checks that an unsupported step is rejected in both directions, before the mesh changes.
func TestSkippedVersionIsRejected(t *testing.T) {
	t.Parallel()
	const name = "leaping"
	mesh := readyMesh(t, name, fastUpgrades)
	change(t, mesh, func(m *v1alpha1.Mesh) { m.Spec.Version = ptr.To(distantVersion) })
	c := waitCondition(t, mesh, v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonUnsupportedStep)
	assertContains(t, c.Message, "spec.version", "from v0.0 to v0.3 skips v0.1", "set spec.version to a version of v0.1 first")
	waitVersion(t, name, olderVersion)
	if found, err := exists(t.Context(), &v1alpha1.MeshRevision{ObjectMeta: metav1.ObjectMeta{Name: "leaping-v0-3-0"}}); err != nil || found {
		t.Errorf("the rejected version has a MeshRevision (%v)", err)
	}

	// The steps over the intermediate versions are supported.
	for _, version := range []string{operatorVersion, nextVersion, distantVersion} {
		change(t, mesh, func(m *v1alpha1.Mesh) { m.Spec.Version = ptr.To(version) })
		waitVersion(t, name, version)
		waitReady(t, mesh)
	}
	change(t, mesh, func(m *v1alpha1.Mesh) { m.Spec.Version = ptr.To(olderVersion) })
	c = waitCondition(t, mesh, v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonUnsupportedStep)
	assertContains(t, c.Message, "from v0.3 to v0.0 skips v0.2")
	waitVersion(t, name, distantVersion)
}

// TestVersionThatCannotServeSidecarsIsRejected checks a version without support for the bootstrap of an existing sidecar.
func TestVersionThatCannotServeSidecarsIsRejected(t *testing.T) {
	t.Parallel()
	const name = "leftover"
	mesh := readyMesh(t, name, func(spec *v1alpha1.MeshSpec) {
		fastUpgrades(spec)
		spec.Upgrade.DataPlane.Restart = ptr.To(v1alpha1.RestartManual)
	})
	s := newWorkloads(t, name, "cart")
	s.wait("leftover-v0-0-9", 1)
	for _, version := range []string{operatorVersion, nextVersion} {
		change(t, mesh, func(m *v1alpha1.Mesh) { m.Spec.Version = ptr.To(version) })
		waitVersion(t, name, version)
		waitReady(t, mesh)
	}
	change(t, mesh, func(m *v1alpha1.Mesh) { m.Spec.Version = ptr.To(distantVersion) })
	c := waitCondition(t, mesh, v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonUnsupportedStep)
	assertContains(t, c.Message, "v0.3.0 does not serve sidecars of version v0.0.9", "restart their workloads")
	waitVersion(t, name, nextVersion)
}
