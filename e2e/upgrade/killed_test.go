package upgrade

import (
	"context"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/e2e/lab"
	"github.com/openservicemesh/osm-operator/internal/names"
)

// killedOnTheWay kills the operator at each phase. Whatever it knows it reads from the cluster, so another one goes on.
func killedOnTheWay(t *testing.T) {
	s := openShop(t, newMesh(t, "killed", before, func(m mesh) { m.killedAt("Installing") }))
	t.Run("to the next version", func(t *testing.T) {
		s := s.in(t)
		upgradeInPlace(t, s, func() { s.mesh.killedAt("ControlPlane", "Workloads") })
	})
	t.Run("to a version with a fault", func(t *testing.T) {
		s := s.in(t)
		returnsFrom(t, s, reject, func() {
			s.mesh.killedAt("ControlPlane", "RollingBack")
			s.hasReturned(t, reject)
			// It must not try again what was given up: that is written down, too.
			s.mesh.killedAt("RolledBack")
		})
	})
}

// killedAt waits for phases, and kills the operator at each.
func (m mesh) killedAt(phases ...string) {
	m.t.Helper()
	for _, phase := range phases {
		m.reaches(phase)
		killOperator(m.t)
		m.t.Logf("killed the operator at %s, in phase %s", time.Now().Format(time.TimeOnly), phase)
	}
}

// killOperator kills the operator without a word, and waits until another one runs.
func killOperator(t *testing.T) {
	t.Helper()
	old, err := cluster.Pod(t.Context(), names.OperatorNamespace, names.AppLabel, "osm-operator")
	must(t, err)
	must(t, cluster.Client.Delete(t.Context(), old, client.GracePeriodSeconds(0)))
	must(t, lab.Until(t.Context(), podLimit, "another operator is ready", func(ctx context.Context) (bool, string, error) {
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
	}))
}
