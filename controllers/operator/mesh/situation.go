package mesh

import (
	"context"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/controllers/operator/desired"
	"github.com/openservicemesh/osm-operator/internal/rollout"
)

// situation is everything that decides the next step of an upgrade, except the verdicts of the gates.
func (r *Reconciler) situation(ctx context.Context, s *scope) (rollout.Situation, error) {
	revisions, err := r.revisions(ctx, s)
	if err != nil {
		return rollout.Situation{}, err
	}
	workloads, err := r.DataPlane.Workloads(ctx, s.mesh.Name)
	if err != nil {
		return rollout.Situation{}, err
	}
	upgrade, _, _ := upgradeOf(s.mesh)
	situation := rollout.Situation{
		Strategy: strategyOf(s.mesh), Now: r.Now(), Wanted: desired.RevisionName(s.wanted.Name, s.wanted.Version), Workloads: workloads, Limits: limitsOf(s.mesh),
		Automatic: ptr.Deref(upgrade.Rollback, v1alpha1.RollbackAutomatic) == v1alpha1.RollbackAutomatic,
	}
	for i := range revisions {
		revision := &revisions[i]
		if revision.DeletionTimestamp != nil {
			continue
		}
		situation.Revisions = append(situation.Revisions, fact(revision, s.mesh.Generation))
		if runsBase(revision.Spec.Role) {
			situation.Base = revision.Name
		}
		if runsBeside(revision.Spec.Role) {
			situation.Beside = revision.Name
		}
		if revision.Name == situation.Wanted {
			s.current = revision
			situation.Since = inRoleSince(revision)
		}
	}
	situation.Base = baseOf(situation.Base, revisions)
	return situation, r.lookBeside(ctx, s, &situation)
}

// runsBase says whether a role includes the mesh's own Deployments, runsBeside whether it includes others.
func runsBase(role v1alpha1.Role) bool {
	return role == v1alpha1.RoleBase || role == v1alpha1.RolePromoting
}

func runsBeside(role v1alpha1.Role) bool {
	return role == v1alpha1.RoleBeside || role == v1alpha1.RolePromoting
}

// baseOf is the revision that runs the mesh's Deployments. One that an operator without roles has made says nothing of its role: it
// is the base as long as no other is.
func baseOf(base string, revisions []v1alpha1.MeshRevision) string {
	if base != "" {
		return base
	}
	for i := range revisions {
		if revisions[i].Spec.Role == "" && revisions[i].DeletionTimestamp == nil {
			return revisions[i].Name
		}
	}
	return ""
}

// fact is what a MeshRevision says of itself. What an operator without roles had brought to work is good.
func fact(revision *v1alpha1.MeshRevision, generation int64) rollout.Revision {
	f := rollout.Revision{Name: revision.Name, Serving: !readySince(revision).IsZero(), Answering: answersBeside(revision)}
	switch {
	case revision.Status.VerifiedAt != nil:
		f.Verified = revision.Status.VerifiedAt.Time
	case revision.Spec.Role == "" && f.Serving:
		f.Verified = revision.CreationTimestamp.Time
	}
	if rejected := revision.Status.Rejected; rejected != nil && rejected.MeshGeneration == generation {
		f.Rejected = rejected.Reason
	}
	return f
}

// inRoleSince is when all pods of a revision were ready in its role, and it had that role; zero while they are not.
func inRoleSince(revision *v1alpha1.MeshRevision) time.Time {
	since := readySince(revision)
	if role := revision.Status.RoleSince; !since.IsZero() && role != nil && role.After(since) {
		return role.Time
	}
	return since
}

// answersBeside says whether a pod of the injector beside the mesh's own is ready.
func answersBeside(revision *v1alpha1.MeshRevision) bool {
	return runsBeside(revision.Spec.Role) && runsBeside(revision.Status.Role) && revision.Status.Injector.Ready > 0
}

// readySince is when all pods of a revision became ready in the role that it shall have; zero while they are not.
func readySince(revision *v1alpha1.MeshRevision) time.Time {
	ready := meta.FindStatusCondition(revision.Status.Conditions, v1alpha1.ConditionReady)
	if ready == nil || ready.Status != metav1.ConditionTrue || ready.ObservedGeneration != revision.Generation {
		return time.Time{}
	}
	if revision.Spec.Role == v1alpha1.RoleStandby || revision.Spec.Role != "" && revision.Status.Role != revision.Spec.Role {
		return time.Time{}
	}
	return ready.LastTransitionTime.Time
}
