package teardown

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/rollout"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// remainingSidecars lists the workloads of the pods that need the control plane. The cache may lack a pod, so the first deletion requires that the
// API server lists none either.
func (r *Reconciler) remainingSidecars(ctx context.Context, s *scope) ([]rollout.Ref, error) {
	remaining, err := r.DataPlane.SidecarPods(ctx, s.mesh.Name)
	if err != nil || len(remaining) > 0 || s.removal != nil && s.removal.Phase == v1alpha1.RemovalDeleting {
		return remaining, err
	}
	return r.DataPlane.LiveSidecarPods(ctx, s.mesh.Name)
}

// remainingMessage describes what to do about sidecars.
func remainingMessage(left []rollout.Ref) string {
	return fmt.Sprintf("%s: remove the label %s from their namespaces and restart their workloads, or delete them; "+
		"or set spec.removal.sidecars to Restart, and the operator restarts what can be restarted", countSidecars(left), names.MonitoredByLabel)
}

// countSidecars returns how many pods have a sidecar, and which workloads they are of.
func countSidecars(left []rollout.Ref) string {
	count := fmt.Sprintf("%d pods have", len(left))
	if len(left) == 1 {
		count = "1 pod has"
	}
	return fmt.Sprintf("%s a sidecar of this mesh, of %s", count, workloadsOf(left))
}

// workloadsOf lists the first workloads of some pods, with the number of pods of each that has several.
func workloadsOf(left []rollout.Ref) string {
	const most = 5
	pods := map[rollout.Ref]int{}
	for _, ref := range left {
		pods[ref]++
	}
	var words []string
	refs := slices.Compact(slices.Clone(left))
	for _, ref := range refs[:min(len(refs), most)] {
		word := ref.String()
		if pods[ref] > 1 {
			word = fmt.Sprintf("%s (%d pods)", word, pods[ref])
		}
		words = append(words, word)
	}
	if len(refs) > most {
		words = append(words, fmt.Sprintf("and %d more", len(refs)-most))
	}
	return strings.Join(words, ", ")
}
