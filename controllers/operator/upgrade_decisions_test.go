package operator_test

import (
	"fmt"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/health"
)

// A timeout that counts the time of a pause is over at the first look afterwards. That look always waits, because nobody has read load
// reports for a while.
func TestPausedUpgradeIsNotRolledBackAtItsFirstLook(t *testing.T) {
	t.Parallel()
	const name = "pausedupgrade"
	mesh := readyMesh(t, name, func(spec *v1alpha1.MeshSpec) {
		fastUpgrades(spec)
		spec.Upgrade.Gates.Timeout = ptr.To(v1alpha1.NewDuration(30 * time.Second))
	})
	cluster.health.set(meshNamespace(name), operatorVersion, health.Observation{})
	change(t, mesh, func(m *v1alpha1.Mesh) { m.Spec.Version = ptr.To(operatorVersion) })
	revision := &v1alpha1.MeshRevision{ObjectMeta: metav1.ObjectMeta{Name: name + "-v0-1-0"}}
	waitFor(t, revision, func(r *v1alpha1.MeshRevision) error {
		if r.Status.ObservedTime == nil {
			return fmt.Errorf("the gates were not evaluated: %+v", r.Status)
		}
		return nil
	})
	change(t, mesh, func(m *v1alpha1.Mesh) { m.Spec.Paused = ptr.To(true) })
	waitCondition(t, mesh, v1alpha1.ConditionUpgrading, metav1.ConditionFalse, v1alpha1.ReasonPaused)
	hourAgo := metav1.NewTime(time.Now().Add(-time.Hour).Truncate(time.Second))
	eventually(t, func() error {
		get(t, revision)
		revision.Status.RoleStartTime, revision.Status.ObservedTime = &hourAgo, &hourAgo
		return cluster.client.Status().Update(t.Context(), revision)
	})
	change(t, mesh, func(m *v1alpha1.Mesh) { m.Spec.Paused = nil })
	waitFor(t, revision, func(r *v1alpha1.MeshRevision) error {
		if r.Status.ResumedTime == nil {
			return fmt.Errorf("the step was not resumed: %+v", r.Status)
		}
		return nil
	})
	cluster.health.set(meshNamespace(name), operatorVersion, healthy())
	waitHistory(t, mesh, v1alpha1.ResultSucceeded, olderVersion, operatorVersion)
}

// rejectingMesh returns a mesh that has rejected the version of the operator.
func rejectingMesh(t *testing.T, name string) *v1alpha1.Mesh {
	t.Helper()
	mesh := readyMesh(t, name, fastUpgrades)
	failing := healthy()
	failing.Proxies = &health.Proxies{Rejecting: 1, Rejections: []health.Rejection{{Workload: "shop/cart", Sidecars: []string{"a sidecar"}}}}
	cluster.health.set(meshNamespace(name), operatorVersion, failing)
	change(t, mesh, func(m *v1alpha1.Mesh) { m.Spec.Version = ptr.To(operatorVersion) })
	waitHistory(t, mesh, v1alpha1.ResultRolledBack, olderVersion, operatorVersion)
	return mesh
}

// An edit that does not concern the version must not try a bad version again.
func TestRejectedVersionIsTriedAgainWithOtherImagesOnly(t *testing.T) {
	t.Parallel()
	const name = "rejectedversion"
	mesh := rejectingMesh(t, name)
	change(t, mesh, func(m *v1alpha1.Mesh) { m.Spec.Sidecar = &v1alpha1.SidecarSpec{LogLevel: ptr.To("debug")} })
	waitCondition(t, mesh, v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonRolledBack)
	tries := 0
	for _, entry := range mesh.Status.History {
		if entry.Result == v1alpha1.ResultRolledBack {
			tries++
		}
	}
	if tries != 1 {
		t.Errorf("an edit of the log level tried the rejected version again: %+v", mesh.Status.History)
	}
	cluster.health.set(meshNamespace(name), operatorVersion, healthy())
	change(t, mesh, func(m *v1alpha1.Mesh) { m.Spec.Sidecar.Image = ptr.To("example/envoy:fixed") })
	waitHistory(t, mesh, v1alpha1.ResultSucceeded, olderVersion, operatorVersion)
}

// One commit asks for another attempt.
func TestRejectedVersionIsTriedAgainOnRequest(t *testing.T) {
	t.Parallel()
	const name = "retriedversion"
	mesh := rejectingMesh(t, name)
	waitCondition(t, mesh, v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonRolledBack)
	cluster.health.set(meshNamespace(name), operatorVersion, healthy())
	change(t, mesh, func(m *v1alpha1.Mesh) { m.Spec.Upgrade.Attempt = ptr.To("2") })
	waitHistory(t, mesh, v1alpha1.ResultSucceeded, olderVersion, operatorVersion)
}

// A new operator must not change meshes in another way than an upgrade that a user requests: with the gates and the restarts of the Mesh.
func TestMeshWithoutVersionFollowsTheOperatorWithItsGates(t *testing.T) {
	t.Parallel()
	const name = "unversioned"
	mesh := readyMesh(t, name, func(spec *v1alpha1.MeshSpec) {
		fastUpgrades(spec)
		spec.Upgrade.DataPlane.Restart = ptr.To(v1alpha1.RestartManual)
	})
	s := newWorkloads(t, name, "cart")
	s.wait(name+"-v0-0-9", 1)
	failing := healthy()
	failing.Proxies = &health.Proxies{Rejecting: 1, Rejections: []health.Rejection{{Workload: "shop/cart", Sidecars: []string{"a sidecar"}}}}
	cluster.health.set(meshNamespace(name), operatorVersion, failing)
	change(t, mesh, func(m *v1alpha1.Mesh) { m.Spec.Version = nil })
	waitHistory(t, mesh, v1alpha1.ResultRolledBack, olderVersion, operatorVersion)
	waitVersion(t, name, olderVersion)
	if len(s.restarts()) > 0 {
		t.Errorf("workloads were restarted, which the Mesh leaves to users: %v", s.restarts())
	}
}
