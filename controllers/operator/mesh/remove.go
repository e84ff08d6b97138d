package mesh

import (
	"context"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/controllers/operator/apply"
	"github.com/openservicemesh/osm-operator/controllers/operator/condition"
)

// remove removes a mesh: it waits for sidecars, then takes away what the mesh consists of, and lets the Mesh go.
func (r *Reconciler) remove(ctx context.Context, s *scope) (reconcile.Result, error) {
	if !controllerutil.ContainsFinalizer(s.mesh, Finalizer) {
		return reconcile.Result{}, nil
	}
	verdict, err := r.removeNext(ctx, s)
	if err != nil {
		verdict = condition.Verdict{State: condition.Failing, Reason: v1alpha1.ReasonDeleteFailed, Message: err.Error()}
	} else if verdict == nothingLeft {
		return stale(r.release(ctx, s.mesh))
	}
	s.mesh.Status.ObservedGeneration = s.mesh.Generation
	s.mesh.Status.Conditions = keepSummary(s.mesh.Status.Conditions)
	condition.Of(&s.mesh.Status.Conditions, s.mesh.Generation, r.Now()).Summarise(verdict)
	if written := r.writeStatus(ctx, s); err == nil {
		err = written
	}
	if err != nil {
		return reconcile.Result{}, err
	}
	switch verdict.Reason {
	case v1alpha1.ReasonDeleting:
		return reconcile.Result{RequeueAfter: pollWhileRemoving}, nil
	case v1alpha1.ReasonRemovingSidecars:
		return reconcile.Result{RequeueAfter: glance}, nil
	}
	return reconcile.Result{RequeueAfter: pollForSidecars}, nil
}

const (
	// pollWhileRemoving is how soon a removal goes on to its next step.
	pollWhileRemoving = 500 * time.Millisecond
	// pollForSidecars is how often a removal looks again for sidecars, which are not watched.
	pollForSidecars = 5 * time.Second
)

// nothingLeft is the verdict when everything is removed.
var nothingLeft = condition.Verdict{State: condition.Ready}

// keepSummary drops the conditions of parts, which say nothing true about a mesh that is being removed.
func keepSummary(conditions []metav1.Condition) []metav1.Condition {
	return slices.DeleteFunc(conditions, func(c metav1.Condition) bool {
		return c.Type != v1alpha1.ConditionReady && c.Type != v1alpha1.ConditionReconciling && c.Type != v1alpha1.ConditionStalled
	})
}

// removeNext does the first step that is not done yet, and says what it waits for.
func (r *Reconciler) removeNext(ctx context.Context, s *scope) (condition.Verdict, error) {
	left, err := r.sidecars(ctx, s.mesh.Name)
	if err != nil {
		return condition.Verdict{}, err
	}
	if err := r.unhookWithoutServers(ctx, s); err != nil {
		return condition.Verdict{}, err
	}
	s.mesh.Status.Upgrade = nil
	switch {
	case len(left) > 0 && restartsSidecars(s.mesh):
		return r.takeOut(ctx, s, left)
	case len(left) > 0:
		return r.removing(s, v1alpha1.RemovalWaiting, v1alpha1.ReasonWaitingForSidecars, len(left), sidecarMessage(left)), nil
	}
	for _, step := range r.removal() {
		left, err := step.run(ctx, s)
		if err != nil {
			return condition.Verdict{}, err
		}
		if left > 0 {
			return r.removing(s, v1alpha1.RemovalDeleting, v1alpha1.ReasonDeleting, 0, "removing "+step.what), nil
		}
	}
	return nothingLeft, nil
}

// removing writes into the status how far the removal is.
func (r *Reconciler) removing(s *scope, phase, reason string, sidecars int, message string) condition.Verdict {
	s.mesh.Status.Removal = &v1alpha1.RemovalStatus{
		Phase: phase, Since: metav1.NewTime(r.removingSince(s, phase)), Sidecars: int32(sidecars), Message: message,
	}
	return condition.Verdict{State: condition.Working, Reason: reason, Message: message}
}

// removingSince is when a phase of the removal began, which is now when the status speaks of another one.
func (r *Reconciler) removingSince(s *scope, phase string) time.Time {
	if before := s.mesh.Status.Removal; before != nil && before.Phase == phase {
		return before.Since.Time
	}
	return r.Now().Truncate(time.Second)
}

// release lets the Mesh go.
func (r *Reconciler) release(ctx context.Context, mesh *v1alpha1.Mesh) error {
	before := mesh.DeepCopy()
	controllerutil.RemoveFinalizer(mesh, Finalizer)
	err := r.Client.Patch(ctx, mesh, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}), client.FieldOwner(apply.FieldManager))
	return client.IgnoreNotFound(err)
}
