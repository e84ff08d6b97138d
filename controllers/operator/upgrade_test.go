package operator_test

import (
	"fmt"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/health"
	"github.com/openservicemesh/osm-operator/internal/operator/rollout"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// waitVersion waits until the active Deployments of a mesh have a version.
func waitVersion(t *testing.T, mesh, version string) {
	t.Helper()
	eventually(t, func() error {
		for _, component := range []string{names.Controller, names.Injector} {
			d := &appsv1.Deployment{ObjectMeta: inMeshNamespace(mesh, component)}
			if err := cluster.client.Get(t.Context(), client.ObjectKeyFromObject(d), d); err != nil {
				return err
			}
			if d.Labels[names.VersionLabel] != version {
				return fmt.Errorf("%s has version %s, want %s", component, d.Labels[names.VersionLabel], version)
			}
		}
		return nil
	})
}

// waitHistory waits until the history of a mesh starts with an upgrade, and returns its entry.
func waitHistory(t *testing.T, mesh *v1alpha1.Mesh, result v1alpha1.UpgradeResult, from, to string) v1alpha1.HistoryEntry {
	t.Helper()
	eventually(t, func() error {
		get(t, mesh)
		if len(mesh.Status.History) == 0 || mesh.Status.History[0].Result != result || mesh.Status.History[0].Version != to || mesh.Status.History[0].From != from {
			return fmt.Errorf("the history is %+v, want %s from %s to %s first", mesh.Status.History, result, from, to)
		}
		return nil
	})
	return mesh.Status.History[0]
}

func TestUpgradeRestartsWorkloadsAndRecordsHistory(t *testing.T) {
	t.Parallel()
	const name = "waves"
	mesh := readyMesh(t, name, fastUpgrades)
	waitHistory(t, mesh, v1alpha1.ResultSucceeded, "", olderVersion)
	s := newWorkloads(t, name, "cart", "checkout", "search")
	s.wait("waves-v0-0-9", 3)
	change(t, mesh, func(m *v1alpha1.Mesh) { m.Spec.Version = ptr.To(operatorVersion) })
	s.wait("waves-v0-1-0", 3)
	waitReady(t, mesh)
	waitHistory(t, mesh, v1alpha1.ResultSucceeded, olderVersion, operatorVersion)
	// The event of the last pod can arrive after that of its Deployment.
	eventually(t, func() error {
		get(t, mesh)
		if p := mesh.Status.Proxies; p == nil || p.Total != 3 || p.Outdated != 0 {
			return fmt.Errorf("the status counts %+v sidecars, want 3 and none outdated", p)
		}
		return nil
	})
	if mesh.Status.Upgrade != nil {
		t.Errorf("a completed upgrade is still in the status: %+v", mesh.Status.Upgrade)
	}
	waitGone(t, &v1alpha1.MeshRevision{ObjectMeta: metav1.ObjectMeta{Name: "waves-v0-0-9"}})
	if hasDuplicates(s.restarted) {
		t.Errorf("a workload was restarted twice: %v", s.restarted)
	}
}

func TestRejectedConfigurationCausesRollback(t *testing.T) {
	t.Parallel()
	const name = "rejected"
	mesh := readyMesh(t, name, fastUpgrades)
	s := newWorkloads(t, name, "cart")
	s.wait("rejected-v0-0-9", 1)
	unhealthy := healthy()
	unhealthy.Proxies.Rejecting = 1
	unhealthy.Proxies.Rejections = []health.Rejection{{Workload: "shop/cart", Sidecars: []string{"shop/cart rejects LDS: no such filter"}}}
	cluster.health.set(meshNamespace(name), operatorVersion, unhealthy)
	change(t, mesh, func(m *v1alpha1.Mesh) { m.Spec.Version = ptr.To(operatorVersion) })
	waitEvent(t, operatorVersion, "RollingBack", "no such filter")
	waitVersion(t, name, olderVersion)
	condition := waitCondition(t, mesh, v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonRolledBack)
	assertContains(t, condition.Message, operatorVersion, "no such filter", "other images")
	entry := waitHistory(t, mesh, v1alpha1.ResultRolledBack, olderVersion, operatorVersion)
	assertContains(t, entry.Reason, "ConfigurationAccepted", "no such filter")
	s.wait("rejected-v0-0-9", 1)
	if len(s.restarted) > 0 {
		t.Errorf("workloads were restarted for a rejected version: %v", s.restarted)
	}

	// The same version is tried again after the last good one was declared.
	cluster.health.set(meshNamespace(name), operatorVersion, healthy())
	change(t, mesh, func(m *v1alpha1.Mesh) { m.Spec.Version = ptr.To(olderVersion) })
	waitGone(t, &v1alpha1.MeshRevision{ObjectMeta: metav1.ObjectMeta{Name: "rejected-v0-1-0"}})
	waitReady(t, mesh)
	change(t, mesh, func(m *v1alpha1.Mesh) { m.Spec.Version = ptr.To(operatorVersion) })
	s.wait("rejected-v0-1-0", 1)
	waitReady(t, mesh)
}

func TestLateFailureRollsWorkloadsBack(t *testing.T) {
	t.Parallel()
	const name = "late"
	mesh := readyMesh(t, name, func(spec *v1alpha1.MeshSpec) {
		fastUpgrades(spec)
		spec.Upgrade.DataPlane.MaxUnavailable = ptr.To(intstr.FromInt32(1))
		// The second wave starts after the checks of the first.
		spec.Upgrade.DataPlane.PauseBetween = ptr.To(v1alpha1.NewDuration(time.Minute))
	})
	s := newWorkloads(t, name, "cart", "search")
	s.wait("late-v0-0-9", 2)
	change(t, mesh, func(m *v1alpha1.Mesh) { m.Spec.Version = ptr.To(operatorVersion) })
	s.wait("late-v0-1-0", 1)
	failing := healthy()
	failing.Flows = []rollout.Flow{{Requests: rollout.Requests{Issued: 100, Failed: 50}}}
	cluster.health.set(meshNamespace(name), operatorVersion, failing)
	waitVersion(t, name, olderVersion)
	s.wait("late-v0-0-9", 2)
	entry := waitHistory(t, mesh, v1alpha1.ResultRolledBack, olderVersion, operatorVersion)
	assertContains(t, entry.Reason, "ErrorRate", "50.00%")
}

func TestManualRollbackHaltsFailedUpgrade(t *testing.T) {
	t.Parallel()
	const name = "halting"
	mesh := readyMesh(t, name, func(spec *v1alpha1.MeshSpec) {
		fastUpgrades(spec)
		spec.Upgrade.Rollback = ptr.To(v1alpha1.RollbackManual)
	})
	newWorkloads(t, name, "cart").wait("halting-v0-0-9", 1)
	unhealthy := healthy()
	unhealthy.Restarts = []health.PodRestarts{{UID: "controller", Created: time.Now().Add(time.Hour), Count: 9}}
	cluster.health.set(meshNamespace(name), operatorVersion, unhealthy)
	change(t, mesh, func(m *v1alpha1.Mesh) { m.Spec.Version = ptr.To(operatorVersion) })
	condition := waitCondition(t, mesh, v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonUpgradeHalted)
	assertContains(t, condition.Message, "restarted 9 times")
	waitVersion(t, name, operatorVersion)
	change(t, mesh, func(m *v1alpha1.Mesh) { m.Spec.Version = ptr.To(olderVersion) })
	waitVersion(t, name, olderVersion)
	waitReady(t, mesh)
}

func TestManualRestartPolicyRestartsNothing(t *testing.T) {
	t.Parallel()
	const name = "byhand"
	mesh := readyMesh(t, name, func(spec *v1alpha1.MeshSpec) {
		fastUpgrades(spec)
		spec.Upgrade.DataPlane.Restart = ptr.To(v1alpha1.RestartManual)
	})
	s := newWorkloads(t, name, "cart")
	s.wait("byhand-v0-0-9", 1)
	change(t, mesh, func(m *v1alpha1.Mesh) { m.Spec.Version = ptr.To(operatorVersion) })
	waitHistory(t, mesh, v1alpha1.ResultSucceeded, olderVersion, operatorVersion)
	waitReady(t, mesh)
	if len(s.restarted) > 0 || mesh.Status.Proxies.Outdated != 1 {
		t.Errorf("restarted %v, and %d sidecars are outdated: want none and 1", s.restarted, mesh.Status.Proxies.Outdated)
	}
}

func TestPausedMeshIsNotChanged(t *testing.T) {
	t.Parallel()
	const name = "pausing"
	mesh := readyMesh(t, name, fastUpgrades)
	change(t, mesh, func(m *v1alpha1.Mesh) { m.Spec.Paused, m.Spec.Version = ptr.To(true), ptr.To(operatorVersion) })
	condition := waitCondition(t, mesh, v1alpha1.ConditionPaused, metav1.ConditionTrue, v1alpha1.ReasonPaused)
	assertContains(t, condition.Message, "spec.paused")
	d := &appsv1.Deployment{ObjectMeta: inMeshNamespace(name, names.Controller)}
	// The status follows the pods, also when the machine is slow.
	checkOnlyStatusWrites(t, func() {
		change(t, d, func(d *appsv1.Deployment) { d.Spec.Replicas = ptr.To[int32](5) })
		timer := time.NewTimer(2 * time.Second)
		<-timer.C
	}, name)
	get(t, d)
	if *d.Spec.Replicas != 5 || d.Labels[names.VersionLabel] != olderVersion {
		t.Errorf("a paused mesh was changed: %d replicas of version %s", *d.Spec.Replicas, d.Labels[names.VersionLabel])
	}
	change(t, mesh, func(m *v1alpha1.Mesh) { m.Spec.Paused = nil })
	waitVersion(t, name, operatorVersion)
	waitReady(t, mesh)
}
