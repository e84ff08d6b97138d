package rollout

import (
	"context"
	"maps"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/desired"
	"github.com/openservicemesh/osm-operator/internal/operator/observe"
	"github.com/openservicemesh/osm-operator/internal/operator/rollout"
)

// observeSituation observes everything that decides the next step of an upgrade, except the verdicts of the gates.
func (r *Reconciler) observeSituation(ctx context.Context, s *scope) (rollout.Situation, error) {
	revisions, err := r.Revisions(ctx, s.mesh.Name)
	if err != nil {
		return rollout.Situation{}, err
	}
	workloads, err := r.DataPlane.Workloads(ctx, s.mesh.Name)
	if err != nil {
		return rollout.Situation{}, err
	}
	upgrade, _, _ := observe.UpgradeSettings(s.mesh)
	situation := rollout.Situation{
		Strategy: rollout.Strategy(observe.Strategy(s.mesh)), Now: r.Now(), Desired: desired.RevisionName(s.desired.Name, s.desired.Version), Workloads: workloads, Limits: observe.Limits(s.mesh),
		AutomaticRollback: ptr.Deref(upgrade.Rollback, v1alpha1.RollbackAutomatic) == v1alpha1.RollbackAutomatic,
	}
	situation.Limits.Denied = r.Restarter.Denied(ctx, s.mesh)
	if active := observe.ActiveRevision(revisions); active != nil {
		situation.Active = active.Name
	}
	for i := range revisions {
		revision := &revisions[i]
		if revision.DeletionTimestamp != nil {
			continue
		}
		situation.Revisions = append(situation.Revisions, fact(s.mesh, revision))
		if observe.RunsCanary(revision.Spec.Role) {
			situation.Canary = revision.Name
		}
		if revision.Name == situation.Desired {
			s.current = revision
			situation.ReadySince = inRoleSince(revision)
		}
	}
	return situation, r.observeCanary(ctx, s, &situation)
}

// fact is what the status of a MeshRevision contains.
func fact(mesh *v1alpha1.Mesh, revision *v1alpha1.MeshRevision) rollout.Revision {
	f := rollout.Revision{Name: revision.Name, Serving: !readySince(revision).IsZero(), InjectorReady: canaryAnswers(revision)}
	if revision.Status.VerificationTime != nil {
		f.Verified = revision.Status.VerificationTime.Time
	}
	if observe.IsRejected(mesh, revision) {
		f.Rejected = revision.Status.Rejected.Reason
	}
	return f
}

// inRoleSince is when all pods of a revision were ready in its role, and it had that role; zero while they are not.
func inRoleSince(revision *v1alpha1.MeshRevision) time.Time {
	since := readySince(revision)
	if role := revision.Status.RoleStartTime; !since.IsZero() && role != nil && role.After(since) {
		return role.Time
	}
	return since
}

// canaryAnswers is true when a pod of the canary's injector is ready.
func canaryAnswers(revision *v1alpha1.MeshRevision) bool {
	return observe.RunsCanary(revision.Spec.Role) && observe.RunsCanary(revision.Status.Role) && revision.Status.Injector.Ready > 0
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

// checkStep rejects a version that is more than one step away from the running version, or that cannot serve existing sidecars of the
// mesh. It runs before any change for the new version.
func (r *Reconciler) checkStep(s *scope) error {
	if s.situation.Active == "" || s.isActing() {
		return nil
	}
	problem := r.Compatibility.CheckStep(r.versionOf(s, s.situation.Active), s.desired.Version, r.sidecarVersions(s))
	if problem == "" {
		return nil
	}
	return &observe.StalledError{Reason: v1alpha1.ReasonUnsupportedStep, Message: "spec.version: " + problem}
}

// sidecarVersions are the versions whose injectors made the sidecars of the mesh, as far as that is known, sorted.
func (r *Reconciler) sidecarVersions(s *scope) []string {
	versions := map[string]bool{}
	for _, w := range s.situation.Workloads {
		for revision, sidecars := range w.Sidecars {
			if version := r.versionOf(s, revision); version != "" && sidecars > 0 {
				versions[version] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(versions))
}

// versionOf is the version of a revision, which may have been deleted, by its name; empty for one that this operator does not know.
func (r *Reconciler) versionOf(s *scope, revision string) string {
	for _, version := range r.Catalogue.Known() {
		if desired.RevisionName(s.desired.Name, version) == revision {
			return version
		}
	}
	return ""
}
