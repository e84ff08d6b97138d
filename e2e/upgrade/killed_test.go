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
	s := openShop(t, newMesh(t, "killed", before))
	upgradeInPlace(t, s, func() {
		for _, phase := range []string{"ControlPlane", "Workloads"} {
			s.mesh.reaches(phase)
			killOperator(t)
		}
	})
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
	t.Logf("killed the operator at %s", time.Now().Format(time.TimeOnly))
}
