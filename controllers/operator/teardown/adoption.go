package teardown

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/adopt"
	"github.com/openservicemesh/osm-operator/internal/operator/conditions"
	"github.com/openservicemesh/osm-operator/internal/operator/desired"
	"github.com/openservicemesh/osm-operator/internal/operator/restart"
	"github.com/openservicemesh/osm-operator/internal/operator/rollout"
)

// goBack gives a mesh that is being taken over back to the Open Service Mesh before anything is deleted: its webhooks and its Service first, then the
// workloads with sidecars of this mesh. It reports whether that is still going on. Without a running Open Service Mesh there is nothing to go back to.
func (r *Reconciler) goBack(ctx context.Context, p *pass) (conditions.Assessment, bool, error) {
	t := adopt.TakeoverOf(p.mesh)
	if t == nil {
		return conditions.Assessment{}, false, nil
	}
	osm, err := adopt.ReadRunning(ctx, r.Live, t.From)
	if err != nil || !osm.Exists {
		return conditions.Assessment{}, false, err
	}
	p.osm = &osm
	if p.removal != nil && p.removal.Phase == v1alpha1.RemovalDeleting {
		return conditions.Assessment{}, false, nil
	}
	if t.InEffect != "" && t.InEffect != v1alpha1.AdoptionPrepared || adopt.IsRedirected(p.mesh) {
		message := fmt.Sprintf("going back to the Open Service Mesh in namespace %s", t.From)
		if adopting := meta.FindStatusCondition(p.mesh.Status.Conditions, v1alpha1.ConditionAdopting); adopting != nil {
			message += ": " + adopting.Message
		}
		return r.setPhase(p, v1alpha1.RemovalWaiting, v1alpha1.ReasonWaitingForSidecars, 0, message), true, nil
	}
	if !restartsSidecars(p.mesh) {
		return conditions.Assessment{}, false, nil
	}
	remaining, err := r.remainingSidecars(ctx, p)
	if err != nil || len(remaining) == 0 {
		return conditions.Assessment{}, false, err
	}
	return r.restartBack(ctx, p, remaining)
}

// restartBack restarts the next workloads with sidecars of this mesh, whose new pods the Open Service Mesh injects.
func (r *Reconciler) restartBack(ctx context.Context, p *pass, remaining []rollout.Ref) (conditions.Assessment, bool, error) {
	workloads, err := r.DataPlane.WorkloadsForTeardown(ctx, p.mesh.Name, adopt.BackTarget)
	if err != nil {
		return conditions.Assessment{}, false, err
	}
	limits := desired.Limits(p.mesh)
	limits.Manual, limits.Denied = false, r.Restarter.Denied(ctx, p.mesh)
	ordering := adopt.Ordering{Reader: r.Client, Calls: r.DataPlane}
	if limits.Order, err = ordering.Order(ctx, p.mesh, p.desired.Namespace, workloads); err != nil {
		return conditions.Assessment{}, false, err
	}
	wave := rollout.NextWave(rollout.NameSidecars(workloads, "", adopt.BackTarget), adopt.BackTarget, limits, r.Now())
	_, err = r.Restarter.Run(ctx, p.mesh, wave, "GoBack", func(ref rollout.Ref) string {
		return fmt.Sprintf("restarted %s for the sidecars of the Open Service Mesh", ref)
	})
	if err != nil {
		return conditions.Assessment{}, false, err
	}
	reason, message := v1alpha1.ReasonRemovingSidecars, countSidecars(remaining)
	if wave.Done() && len(wave.Blocked) == 0 {
		reason = v1alpha1.ReasonWaitingForSidecars
	}
	if doing := restart.Describe(wave); doing != "" {
		message += "; " + doing
	}
	return r.setPhase(p, v1alpha1.RemovalRestarting, reason, len(remaining), message), true, nil
}
