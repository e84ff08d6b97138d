package mesh

import (
	"context"
	"errors"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/controllers/operator/condition"
)

// planAgain is how often a plan is made anew without an event: budgets, policies and pods without sidecars send none.
const planAgain = time.Minute

// planning says whether a Mesh asks for a plan alone.
func planning(mesh *v1alpha1.Mesh) bool {
	return ptr.Deref(mesh.Spec.Mode, v1alpha1.ModeApply) == v1alpha1.ModePlan
}

// plan works out what would be done about a mesh, and writes that into its status and nothing else.
func (r *Reconciler) plan(ctx context.Context, s *scope) (reconcile.Result, error) {
	if rest := r.pace.wait(s.mesh, r.Now()); rest > 0 {
		return reconcile.Result{RequeueAfter: rest}, nil
	}
	s.lookAgain(planAgain)
	base, seen := r.asItIs(ctx, s)
	planned := condition.Verdict{
		State: condition.Failing, Reason: v1alpha1.ReasonDeleting,
		Message: "the Mesh is being deleted, and spec.mode Plan keeps the operator from removing anything: set it to Apply to go on",
	}
	var failed error
	if s.mesh.DeletionTimestamp != nil {
		s.mesh.Status.Plan = nil
	} else if planned, failed = r.foresee(ctx, s, base); failed != nil {
		planned = condition.Verdict{State: condition.Failing, Reason: v1alpha1.ReasonPlanFailed, Message: "the plan cannot be made, which is tried again: " + failed.Error()}
	}
	r.concludePlan(s, base, planned)
	return reconcile.Result{RequeueAfter: s.requeue}, errors.Join(seen, failed, r.writeStatus(ctx, s))
}

// foresee rehearses what Apply would do, and writes the plan.
func (r *Reconciler) foresee(ctx context.Context, s *scope, base *v1alpha1.MeshRevision) (condition.Verdict, error) {
	done, err := r.rehearse(ctx, s.mesh)
	if err != nil {
		return condition.Verdict{}, err
	}
	next := planOf(done, base)
	if err := r.foreseeSidecars(ctx, s, base, done, next); err != nil {
		return condition.Verdict{}, err
	}
	finish(next, s.mesh, r.Now())
	s.mesh.Status.Plan = next
	if done.problem.Message != "" {
		return condition.Verdict{State: condition.Failing, Reason: done.problem.Reason, Message: done.problem.Message}, nil
	}
	return condition.Verdict{State: condition.Ready, Reason: v1alpha1.ReasonPlanned, Message: next.Summary}, nil
}

// asItIs observes the mesh without the script, and returns the revision that runs it, with the status that it has now; nil when the mesh
// is not installed.
func (r *Reconciler) asItIs(ctx context.Context, s *scope) (*v1alpha1.MeshRevision, error) {
	seen := r.observe(ctx, s)
	base, err := r.runningRevision(ctx, s)
	if err != nil || base == nil {
		return nil, errors.Join(seen, err)
	}
	status, err := r.reviser().Look(ctx, base)
	if err != nil {
		return nil, errors.Join(seen, err)
	}
	base = base.DeepCopy()
	base.Status = status
	workloads, err := r.DataPlane.Workloads(ctx, s.mesh.Name)
	if err != nil {
		return base, errors.Join(seen, err)
	}
	s.situation.Workloads, s.plan.Base = workloads, base.Name
	s.mesh.Status.Proxies = countProxies(s)
	return base, seen
}

// concludePlan writes the conditions of a mesh that is only planned. One that is installed is as ready as what runs; of one that is not,
// nobody knows, and nobody works on it.
func (r *Reconciler) concludePlan(s *scope, base *v1alpha1.MeshRevision, planned condition.Verdict) {
	for _, p := range parts(s, nil) {
		// What is written again keeps the time of its transition.
		if base == nil || p.kind != v1alpha1.ConditionControlPlaneReady {
			meta.RemoveStatusCondition(&s.mesh.Status.Conditions, p.kind)
		}
	}
	conditions := condition.Of(&s.mesh.Status.Conditions, s.mesh.Generation, r.Now())
	paused := ptr.Deref(s.mesh.Spec.Paused, false)
	conditions.Only(paused, v1alpha1.ConditionPaused, v1alpha1.ReasonPaused, "spec.paused keeps the operator from changing anything of this mesh, whatever spec.mode says")
	conditions.Part(v1alpha1.ConditionPlanned, planned)
	if base == nil {
		if planned.State != condition.Ready {
			conditions.Summarise(planned)
			return
		}
		conditions.Part(v1alpha1.ConditionReady, condition.Verdict{State: condition.Working, Reason: v1alpha1.ReasonPlanned, Message: "not installed, only planned: " + planned.Message})
		conditions.Only(false, v1alpha1.ConditionReconciling, "", "")
		conditions.Only(false, v1alpha1.ConditionStalled, "", "")
		return
	}
	verdict := revisionVerdict(base)
	conditions.Part(v1alpha1.ConditionControlPlaneReady, verdict)
	switch verdict.State {
	case condition.Working:
		// Nobody works on it.
		verdict.State = condition.Failing
	case condition.Ready:
		verdict.Reason, verdict.Message = v1alpha1.ReasonPlanned, planned.Message
	}
	conditions.Summarise(verdict)
}

// finish writes what a plan says of itself. One that says what the plan before has said keeps its time.
func finish(next *v1alpha1.PlanStatus, mesh *v1alpha1.Mesh, now time.Time) {
	next.Summary = summaryOf(next)
	next.Hash = hashOf(next)
	next.Generation, next.Time = mesh.Generation, metav1.NewTime(now.Truncate(time.Second))
	if before := mesh.Status.Plan; before != nil && before.Hash == next.Hash {
		next.Time = before.Time
	}
}
