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

// A control plane that is unreachable for less than the timeout does not cause a rollback, however long the soak takes.
func TestShortUnhealthyTimeDuringSoakIsTolerated(t *testing.T) {
	t.Parallel()
	const name = "soaking"
	timeout := 20 * time.Second
	mesh := readyMesh(t, name, func(spec *v1alpha1.MeshSpec) {
		fastUpgrades(spec)
		spec.Upgrade.Gates.Soak, spec.Upgrade.Gates.Timeout = ptr.To(v1alpha1.NewDuration(time.Hour)), ptr.To(v1alpha1.NewDuration(timeout))
	})
	s := newWorkloads(t, name, "cart")
	s.wait("soaking-v0-0-9", 1)
	change(t, mesh, func(m *v1alpha1.Mesh) { m.Spec.Version = ptr.To(operatorVersion) })
	revision := &v1alpha1.MeshRevision{ObjectMeta: metav1.ObjectMeta{Name: "soaking-v0-1-0"}}
	waitStatus := func(check func(v1alpha1.MeshRevisionStatus) bool) {
		t.Helper()
		waitFor(t, revision, func(r *v1alpha1.MeshRevision) error {
			if !check(r.Status) {
				return fmt.Errorf("the revision is healthy since %v, unhealthy since %v, in its role since %v", r.Status.HealthyTime, r.Status.UnhealthyTime, r.Status.RoleStartTime)
			}
			return nil
		})
	}
	waitStatus(func(status v1alpha1.MeshRevisionStatus) bool {
		return status.HealthyTime != nil && time.Since(status.RoleStartTime.Time) > timeout+time.Second
	})
	cluster.health.set(meshNamespace(name), operatorVersion, health.Observation{})
	waitStatus(func(status v1alpha1.MeshRevisionStatus) bool { return status.UnhealthyTime != nil })
	cluster.health.set(meshNamespace(name), operatorVersion, healthy())
	waitStatus(func(status v1alpha1.MeshRevisionStatus) bool { return status.UnhealthyTime == nil })
	// A control plane that is unreachable for longer than the timeout causes a rollback.
	cluster.health.set(meshNamespace(name), operatorVersion, health.Observation{})
	entry := waitHistory(t, mesh, v1alpha1.ResultRolledBack, olderVersion, operatorVersion)
	assertContains(t, entry.Reason, "ProxiesConnected", "for longer than 20s")
}
