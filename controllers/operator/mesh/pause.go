package mesh

import (
	"context"
	"errors"

	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/controllers/operator/condition"
)

// rest changes nothing of a paused mesh, not even to remove it, and writes its status: how the control plane does as it is.
func (r *Reconciler) rest(ctx context.Context, s *scope) error {
	seen := r.observe(ctx, s)
	if base, err := r.runningRevision(ctx, s); err != nil {
		seen = errors.Join(seen, err)
	} else if base != nil {
		s.baseRevision = base
	}
	message := "spec.paused keeps the operator from changing anything of this mesh: take it away to go on"
	if s.mesh.DeletionTimestamp != nil {
		message = "the Mesh is being deleted, and spec.paused keeps the operator from removing anything: take it away to go on"
	}
	verdict := revisionVerdict(s.baseRevision)
	if verdict.State == condition.Working {
		// Nobody works on it.
		verdict.State = condition.Failing
	}
	// Of the other parts nothing is known now.
	for _, p := range parts(s, nil) {
		// What is written again keeps the time of its transition.
		if p.kind != v1alpha1.ConditionControlPlaneReady {
			meta.RemoveStatusCondition(&s.mesh.Status.Conditions, p.kind)
		}
	}
	conditions := condition.Of(&s.mesh.Status.Conditions, s.mesh.Generation, r.Now())
	conditions.Part(v1alpha1.ConditionControlPlaneReady, verdict)
	conditions.Only(true, v1alpha1.ConditionPaused, v1alpha1.ReasonPaused, message)
	conditions.Only(false, v1alpha1.ConditionPlanned, "", "")
	s.mesh.Status.Plan = nil
	if verdict.State == condition.Ready {
		verdict.Reason, verdict.Message = v1alpha1.ReasonPaused, message
	}
	conditions.Summarise(verdict)
	return errors.Join(seen, r.writeStatus(ctx, s))
}

// runningRevision is the MeshRevision that runs the mesh's own Deployments, or nil.
func (r *Reconciler) runningRevision(ctx context.Context, s *scope) (*v1alpha1.MeshRevision, error) {
	revisions, err := r.revisions(ctx, s)
	if err != nil {
		return nil, err
	}
	for i := range revisions {
		if role := revisions[i].Spec.Role; runsBase(role) || role == "" {
			return &revisions[i], nil
		}
	}
	return nil, nil
}
