package mesh

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/controllers/operator/apply"
	"github.com/openservicemesh/osm-operator/controllers/operator/desired"
	"github.com/openservicemesh/osm-operator/internal/operand"
	"github.com/openservicemesh/osm-operator/internal/rollout"
)

// revision keeps the MeshRevision of the wanted version, and gives every revision its role; their own reconciler deploys them.
func (r *Reconciler) revision(ctx context.Context, s *scope) error {
	if err := r.conclusions(ctx, s); err != nil {
		return err
	}
	revisions, err := r.revisions(ctx, s)
	if err != nil {
		return err
	}
	// Whoever is to stop stops first: two revisions must not write the same objects.
	for _, takes := range []bool{false, true} {
		for i := range revisions {
			if role := roleIn(s.plan, revisions[i].Name); revisions[i].Name != s.situation.Wanted && runsBase(role) == takes {
				if err := r.assign(ctx, &revisions[i], role); err != nil {
					return err
				}
			}
		}
		if role := roleIn(s.plan, s.situation.Wanted); runsBase(role) == takes {
			if err := r.applyRevision(ctx, s, role); err != nil {
				return err
			}
		}
	}
	return nil
}

// roleIn is the role that a plan has for a revision.
func roleIn(p rollout.Plan, revision string) v1alpha1.Role {
	switch {
	case revision == p.Base && revision == p.Beside:
		return v1alpha1.RolePromoting
	case revision == p.Base:
		return v1alpha1.RoleBase
	case revision == p.Beside:
		return v1alpha1.RoleBeside
	}
	return v1alpha1.RoleStandby
}

// assign gives another revision than the wanted one its role.
func (r *Reconciler) assign(ctx context.Context, revision *v1alpha1.MeshRevision, role v1alpha1.Role) error {
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

// applyRevision applies the MeshRevision of the wanted version.
func (r *Reconciler) applyRevision(ctx context.Context, s *scope, role v1alpha1.Role) error {
	wanted := desired.Revision(s.mesh, s.wanted, s.release.Images)
	wanted.Spec.Role = role
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(wanted)
	if err != nil {
		return fmt.Errorf("the MeshRevision %s cannot be written down: %w", wanted.Name, err)
	}
	// Zero values of the typed form are not declared.
	delete(content, "status")
	object := &unstructured.Unstructured{Object: content}
	unstructured.RemoveNestedField(object.Object, "metadata", "creationTimestamp")
	if err := apply.Own(s.mesh, r.Client.Scheme(), object); err != nil {
		return err
	}
	_, err = r.Applier.One(ctx, s.mesh, object)
	return err
}

// openBase opens the release of the revision that runs the mesh's Deployments: the webhooks are those of its version. One that this
// operator does not know any more is replaced by the wanted one's.
func (r *Reconciler) openBase(ctx context.Context, s *scope) error {
	s.base, s.baseRevision = s.release, s.current
	if s.plan.Base == "" || s.plan.Base == s.situation.Wanted {
		return nil
	}
	live := &v1alpha1.MeshRevision{}
	if err := r.Client.Get(ctx, client.ObjectKey{Name: s.plan.Base}, live); err != nil {
		return fmt.Errorf("the MeshRevision %s, which runs the mesh, cannot be read: %w", s.plan.Base, err)
	}
	s.baseRevision = live
	release, err := r.Catalogue.Release(live.Spec.Version)
	var unknown *operand.UnknownVersionError
	if errors.As(err, &unknown) {
		return nil
	}
	s.base = release
	return err
}

// measure notes how the version that runs is doing, before another takes over. It says whether that is done, or not needed.
func (r *Reconciler) measure(ctx context.Context, s *scope) (bool, error) {
	switch {
	case !s.upgrading() || s.acting() || s.situation.Base == "" || s.plan.Phase == rollout.Halted:
		return true, nil
	case s.current == nil:
		// The revision comes first: what is noted is noted there.
		return false, nil
	case s.situation.Rejected(), s.current.Status.Baseline != nil && s.current.Status.Rejected == nil:
		return true, nil
	}
	base := &v1alpha1.MeshRevision{}
	if err := r.Client.Get(ctx, client.ObjectKey{Name: s.situation.Base}, base); err != nil {
		return false, fmt.Errorf("the MeshRevision %s, which runs the mesh, cannot be read: %w", s.situation.Base, err)
	}
	reading, err := r.Vitals.Read(ctx, s.subject(base))
	if err != nil {
		return false, err
	}
	baseline := &v1alpha1.RevisionBaseline{From: base.Spec.Version, At: metav1.NewTime(r.Now())}
	if reading.Requests != nil {
		baseline.ErrorRate = percentage(reading.Requests.ErrorRate())
	} else if !reading.Mute && r.Now().Sub(s.current.CreationTimestamp.Time) < patience {
		return false, nil
	}
	return true, r.note(ctx, s.current, func(status *v1alpha1.MeshRevisionStatus) { status.Baseline, status.Rejected = baseline, nil })
}

// conclusions writes down what the plan says about the wanted revision for good: that it passed, or why it was given up.
func (r *Reconciler) conclusions(ctx context.Context, s *scope) error {
	now := metav1.NewTime(r.Now().Truncate(time.Second))
	switch {
	case s.current == nil:
		return nil
	case s.plan.Verify:
		return r.note(ctx, s.current, func(status *v1alpha1.MeshRevisionStatus) { status.VerifiedAt, status.Rejected = &now, nil })
	case s.plan.Reject != "":
		r.say(s, corev1.EventTypeWarning, "RollingBack", "GiveUp "+s.current.Name, "version %s is given up: %s", s.current.Spec.Version, s.plan.Reject)
		rejection := &v1alpha1.RevisionRejection{MeshGeneration: s.mesh.Generation, Reason: s.plan.Reject, At: now}
		return r.note(ctx, s.current, func(status *v1alpha1.MeshRevisionStatus) { status.Rejected = rejection })
	}
	return nil
}

// note changes the status of a revision, which its own reconciler otherwise writes: each leaves the other's fields alone.
func (r *Reconciler) note(ctx context.Context, revision *v1alpha1.MeshRevision, change func(*v1alpha1.MeshRevisionStatus)) error {
	before := revision.DeepCopy()
	change(&revision.Status)
	if err := r.Client.Status().Patch(ctx, revision, client.MergeFrom(before), client.FieldOwner(apply.FieldManager)); err != nil {
		return fmt.Errorf("the status of MeshRevision %s cannot be written: %w", revision.Name, client.IgnoreNotFound(err))
	}
	return nil
}
