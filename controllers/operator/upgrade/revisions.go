package upgrade

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/apply"
	"github.com/openservicemesh/osm-operator/internal/operator/desired"
	"github.com/openservicemesh/osm-operator/internal/operator/observe"
	"github.com/openservicemesh/osm-operator/internal/operator/operand"
	"github.com/openservicemesh/osm-operator/internal/operator/rollout"
	"github.com/openservicemesh/osm-operator/internal/operator/takeover"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// reconcileRevisions keeps the MeshRevision of the desired version, and assigns every revision its role. The revision controller deploys
// them.
func (r *Reconciler) reconcileRevisions(ctx context.Context, p *pass) error {
	if err := r.recordConclusions(ctx, p); err != nil {
		return err
	}
	revisions, err := r.Revisions(ctx, p.mesh.Name)
	if err != nil {
		return err
	}
	// A revision stops being active before another begins: two revisions must not write the same objects.
	for _, active := range []bool{false, true} {
		for i := range revisions {
			if role := roleIn(p.plan, revisions[i].Name); revisions[i].Name != p.situation.Desired && observe.RunsActive(role) == active {
				if err := r.assignRole(ctx, &revisions[i], role); err != nil {
					return err
				}
			}
		}
		if role := roleIn(p.plan, p.situation.Desired); observe.RunsActive(role) == active {
			if err := r.applyRevision(ctx, p, role); err != nil {
				return err
			}
		}
	}
	return nil
}

// roleIn is the role that a plan has for a revision.
func roleIn(p rollout.Plan, revision string) v1alpha1.Role {
	switch {
	case revision == p.Active && revision == p.Canary:
		return v1alpha1.RolePromoting
	case revision == p.Active:
		return v1alpha1.RoleActive
	case revision == p.Canary:
		return v1alpha1.RoleCanary
	}
	return v1alpha1.RoleStandby
}

// assignRole gives another revision than the desired one its role.
func (r *Reconciler) assignRole(ctx context.Context, revision *v1alpha1.MeshRevision, role v1alpha1.Role) error {
	if revision.Spec.Role == role || revision.DeletionTimestamp != nil {
		return nil
	}
	before := revision.DeepCopy()
	revision.Spec.Role = role
	if err := r.Client.Patch(ctx, revision, client.MergeFrom(before), client.FieldOwner(apply.FieldManager)); err != nil {
		return fmt.Errorf("the MeshRevision %s cannot be given the role %s: %w", revision.Name, role, client.IgnoreNotFound(err))
	}
	return nil
}

// applyRevision applies the MeshRevision of the desired version.
func (r *Reconciler) applyRevision(ctx context.Context, p *pass, role v1alpha1.Role) error {
	desired := desired.Revision(p.mesh, p.desired, p.chosen, p.images)
	desired.Spec.Role = role
	p.bridge = takeover.BridgeOf(p.mesh, p.current, r.Now())
	desired.Spec.BridgeUntil = takeover.BridgeUntil(p.bridge)
	if !takeover.WritesStatus(p.mesh) {
		desired.Spec.PolicyStatus = ptr.To(v1alpha1.PolicyStatusOmit)
	}
	if p.current != nil {
		// Its sidecars know the control plane by this trust domain.
		desired.Spec.TrustDomain = p.current.Spec.TrustDomain
	}
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(desired)
	if err != nil {
		return fmt.Errorf("the MeshRevision %s cannot be written down: %w", desired.Name, err)
	}
	// Zero values of the typed form are not applied.
	delete(content, "status")
	object := &unstructured.Unstructured{Object: content}
	unstructured.RemoveNestedField(object.Object, "metadata", "creationTimestamp")
	outcome, err := p.session.Apply(ctx, object)
	p.applied = p.applied || outcome != apply.Unchanged
	return err
}

// recordConclusions records on the desired revision that it passed, or why it was given up.
func (r *Reconciler) recordConclusions(ctx context.Context, p *pass) error {
	now := metav1.NewTime(r.Now().Truncate(time.Second))
	switch {
	case p.current == nil:
		return nil
	case p.plan.Verify:
		return r.recordOnRevision(ctx, p.current, func(status *v1alpha1.MeshRevisionStatus) { status.VerificationTime, status.Rejected = &now, nil })
	case p.plan.Reject != "":
		r.Recorder.Eventf(p.mesh, nil, corev1.EventTypeWarning, "RollingBack", "GiveUp "+p.current.Name, "version %s is given up: %s",
			p.current.Spec.Version, p.plan.Reject)
		images := observe.EffectiveImages(p.mesh, p.current)
		upgrade, _, _ := desired.UpgradeSettings(p.mesh)
		rejection := &v1alpha1.RevisionRejection{
			MeshGeneration: p.mesh.Generation, Images: &images, Attempt: ptr.Deref(upgrade.Attempt, ""), Reason: p.plan.Reject, Time: now,
		}
		return r.recordOnRevision(ctx, p.current, func(status *v1alpha1.MeshRevisionStatus) { status.Rejected = rejection })
	}
	return nil
}

// recordOnRevision changes fields of a MeshRevision's status that the revision controller leaves alone.
func (r *Reconciler) recordOnRevision(ctx context.Context, revision *v1alpha1.MeshRevision, change func(*v1alpha1.MeshRevisionStatus)) error {
	before := revision.DeepCopy()
	change(&revision.Status)
	if err := r.Client.Status().Patch(ctx, revision, client.MergeFrom(before), client.FieldOwner(apply.FieldManager)); err != nil {
		return fmt.Errorf("the status of MeshRevision %s cannot be written: %w", revision.Name, client.IgnoreNotFound(err))
	}
	return nil
}

// retire deletes the revisions that the plan has no use for, once the desired one is ready and has taken over their objects.
func (r *Reconciler) retire(ctx context.Context, p *pass) error {
	revisions, err := r.Revisions(ctx, p.mesh.Name)
	if err != nil {
		return err
	}
	current := observe.FindRevision(revisions, p.situation.Desired)
	if current == nil || !isReady(current) {
		return nil
	}
	for _, name := range []string{names.Controller, names.Injector} {
		deployment := &appsv1.Deployment{}
		err := r.Client.Get(ctx, client.ObjectKey{Namespace: p.desired.Namespace, Name: name}, deployment)
		if err != nil || !operand.IsOf(deployment.Spec.Template.Labels, current.Spec.Version, current.Name) {
			return client.IgnoreNotFound(err)
		}
	}
	for i := range revisions {
		old := &revisions[i]
		if !slices.Contains(p.plan.Retire, old.Name) || old.DeletionTimestamp != nil {
			continue
		}
		if err := client.IgnoreNotFound(r.Client.Delete(ctx, old)); err != nil {
			return fmt.Errorf("the MeshRevision %s, which is replaced, cannot be deleted: %w", old.Name, err)
		}
		r.Recorder.Eventf(p.mesh, nil, corev1.EventTypeNormal, "Replaced", "Retire "+old.Name, "version %s has replaced version %s: MeshRevision %s is deleted, and %s runs",
			current.Spec.Version, old.Spec.Version, old.Name, current.Name)
	}
	return nil
}

// restoredAnnotation is the version of the upgrade for which a MeshRevision was restored.
const restoredAnnotation = "operator.openservicemesh.io/restored-for"

// earlierRevision is the MeshRevision before an upgrade.
type earlierRevision struct {
	version string
	desired.Choice
}

// restoreEarlier makes the MeshRevision before an upgrade again if somebody has deleted it. Without it there would be nothing to roll
// back to: the desired one would take over the mesh, whatever its gates say, also if it was given up. It reports whether the upgrade may go on.
func (r *Reconciler) restoreEarlier(ctx context.Context, p *pass) (bool, error) {
	revisions, err := r.Revisions(ctx, p.mesh.Name)
	if err != nil {
		return false, err
	}
	earlier, lost := lostRevision(revisions, p.chosen.Name, p.desired.Name)
	if !lost {
		return true, nil
	}
	p.waiting = fmt.Sprintf("waiting for the MeshRevision %s, which was deleted, and which the mesh needs to roll back", earlier.Name)
	p.RequeueAfter(time.Second)
	live := observe.FindRevision(revisions, earlier.Name)
	switch {
	case live == nil:
		return false, r.createEarlier(ctx, p, earlier, observe.ActiveRevision(revisions) == nil)
	case live.DeletionTimestamp != nil:
		return false, nil // its finalizer is removed first
	}
	// It has run the mesh.
	now := metav1.NewTime(r.Now().Truncate(time.Second))
	return false, r.recordOnRevision(ctx, live, func(status *v1alpha1.MeshRevisionStatus) { status.VerificationTime = &now })
}

// lostRevision returns the MeshRevision before the upgrade to a desired one if none remains to which the mesh could be rolled back.
func lostRevision(revisions []v1alpha1.MeshRevision, name, mesh string) (from earlierRevision, lost bool) {
	current := observe.FindRevision(revisions, name)
	if current == nil || current.Status.VerificationTime != nil || current.Status.Baseline == nil || current.Status.Baseline.From == "" {
		return from, false
	}
	baseline := current.Status.Baseline
	from = earlierRevision{baseline.From, desired.Choice{Name: cmp.Or(baseline.Revision, desired.RevisionName(mesh, baseline.From)), Sidecar: baseline.Sidecar}}
	if from.Name == name {
		return from, false
	}
	earlier := observe.FindRevision(revisions, from.Name)
	if earlier != nil && earlier.DeletionTimestamp == nil && earlier.Annotations[restoredAnnotation] == "" {
		return from, false // it was not verified either
	}
	return from, !slices.ContainsFunc(revisions, func(r v1alpha1.MeshRevision) bool {
		return r.Name != name && r.DeletionTimestamp == nil && r.Status.VerificationTime != nil
	})
}

// createEarlier makes a MeshRevision again. Its objects still exist, and it takes them over.
func (r *Reconciler) createEarlier(ctx context.Context, p *pass, earlier earlierRevision, active bool) error {
	release, err := r.Catalogue.Release(earlier.version)
	if err != nil {
		return err
	}
	state := p.desired
	state.Version = earlier.version
	revision := desired.Revision(p.mesh, state, earlier.Choice, desired.Images(p.mesh, release.Images))
	revision.Spec.BridgeUntil = takeover.BridgeUntil(takeover.BridgeOf(p.mesh, p.current, r.Now()))
	revision.Annotations = map[string]string{restoredAnnotation: p.desired.Version}
	revision.Spec.Role = v1alpha1.RoleStandby
	if active {
		revision.Spec.Role = v1alpha1.RoleActive
	}
	err = r.Client.Create(ctx, revision, client.FieldOwner(apply.FieldManager))
	if apierrors.IsAlreadyExists(err) {
		return nil // the cache does not have it yet
	}
	if err != nil {
		return fmt.Errorf("the MeshRevision %s, which was deleted, cannot be made again: %w", revision.Name, err)
	}
	r.Recorder.Eventf(p.mesh, nil, corev1.EventTypeWarning, "RevisionRestored", "Restore "+revision.Name,
		"made the MeshRevision %s again, which was deleted during the upgrade to MeshRevision %s of version %s: the mesh needs it to roll back", revision.Name, p.chosen.Name, p.desired.Version)
	return nil
}
