package upgrade

import (
	"context"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/health"
)

// recordRestarts stores the container restarts of the control plane from before the current step, once for each step. Nodes restart pods now
// and then, and an upgrade can last for days. The restarts of a pod that was created in the step all belong to the step.
func (r *Reconciler) recordRestarts(ctx context.Context, p *pass, restarts []health.PodRestarts) error {
	start := metav1.NewTime(p.stepStart().Truncate(time.Second))
	if stored := p.current.Status.Restarts; stored != nil && stored.StepTime.Equal(&start) {
		return nil
	}
	before := &v1alpha1.StepRestarts{StepTime: start}
	for _, pod := range restarts {
		if pod.Created.Before(start.Time) && len(before.Pods) < maxBaselineNames {
			before.Pods = append(before.Pods, v1alpha1.PodRestarts{UID: pod.UID, Count: int32(pod.Count)})
		}
	}
	return r.recordOnRevision(ctx, p.current, func(status *v1alpha1.MeshRevisionStatus) { status.Restarts = before })
}

// restartsInStep counts the container restarts since the step began.
func restartsInStep(revision *v1alpha1.MeshRevision, restarts []health.PodRestarts) int {
	before := map[string]int{}
	for _, pod := range ptr.Deref(revision.Status.Restarts, v1alpha1.StepRestarts{}).Pods {
		before[pod.UID] = int(pod.Count)
	}
	n := 0
	for _, pod := range restarts {
		n += max(pod.Count-before[pod.UID], 0)
	}
	return n
}
