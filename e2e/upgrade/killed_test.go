package upgrade

import (
	"context"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/e2e/lab"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// testOperatorKilled kills the operator in each phase. All its state is in the cluster, so the next operator pod continues.
func testOperatorKilled(t *testing.T) {
	s := deployShop(t, newMesh(t, "killed", cluster.Earlier, func(m mesh) { m.killOperatorIn("Installing") }))
	t.Run("to the next version", func(t *testing.T) {
		s := s.in(t)
		upgradeInPlace(t, s, func() { s.mesh.killOperatorIn("ControlPlane", "Workloads") })
	})
	t.Run("to a version with a fault", func(t *testing.T) {
		s := s.in(t)
		testRollback(t, s, reject, func() {
			s.mesh.killOperatorIn("ControlPlane", "RollingBack")
			s.awaitRollback(t, reject)
			// The result of the failed upgrade is in the status, so a new operator must not retry it.
			s.mesh.killOperatorIn("RolledBack")
		})
	})
}

// killOperatorIn kills the operator in each of the phases.
func (m mesh) killOperatorIn(phases ...string) {
	m.t.Helper()
	for _, phase := range phases {
		m.awaitPhase(v1alpha1.UpgradePhase(phase))
		killOperator(m.t)
		m.t.Logf("killed the operator at %s, in phase %s", time.Now().Format(time.TimeOnly), phase)
	}
}

// killOperator kills the operator without a grace period, and waits until another one is ready.
func killOperator(t *testing.T) {
	t.Helper()
	old, err := cluster.Pod(t.Context(), names.OperatorNamespace, names.AppLabel, "osm-operator")
	lab.Must(t, err)
	lab.Must(t, cluster.Client.Delete(t.Context(), old, client.GracePeriodSeconds(0)))
	lab.Eventually(t, podLimit, "another operator is ready", func(ctx context.Context) (bool, string, error) {
		var pods corev1.PodList
		if err := cluster.Client.List(ctx, &pods, client.InNamespace(names.OperatorNamespace), client.MatchingLabels{names.AppLabel: "osm-operator"}); err != nil {
			return false, "", err
		}
		for i := range pods.Items {
			if pod := &pods.Items[i]; pod.UID != old.UID && lab.IsReady(pod) {
				return true, "", nil
			}
		}
		return false, "not yet", nil
	})
}
