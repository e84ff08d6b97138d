package rollout

import (
	"context"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/apply"
	"github.com/openservicemesh/osm-operator/internal/operator/desired"
	"github.com/openservicemesh/osm-operator/internal/operator/observe"
)

// restoredAnnotation is the version of the upgrade for which a MeshRevision was restored.
const restoredAnnotation = "operator.openservicemesh.io/restored-for"

// restoreEarlier makes the MeshRevision of the version before an upgrade again if somebody has deleted it. Without it there would be nothing to roll
// back to: the desired version would take over the mesh, whatever its gates say, also if it was given up. It reports whether the upgrade may go on.
func (r *Reconciler) restoreEarlier(ctx context.Context, s *scope) (bool, error) {
	revisions, err := r.Revisions(ctx, s.mesh.Name)
	if err != nil {
		return false, err
	}
	from, lost := lostVersion(revisions, desired.RevisionName(s.desired.Name, s.desired.Version), s.desired)
	if !lost {
		return true, nil
	}
	name := desired.RevisionName(s.desired.Name, from)
	s.waiting = fmt.Sprintf("waiting for the MeshRevision %s, which was deleted, and which the mesh needs to roll back", name)
	s.RequeueAfter(time.Second)
	live := observe.FindRevision(revisions, name)
	switch {
	case live == nil:
		return false, r.createEarlier(ctx, s, from, observe.ActiveRevision(revisions) == nil)
	case live.DeletionTimestamp != nil:
		return false, nil // its finalizer is removed first
	}
	return false, r.verifyEarlier(ctx, live)
}

// lostVersion returns the version before the upgrade to a desired revision if no revision remains to which the mesh could be rolled back.
func lostVersion(revisions []v1alpha1.MeshRevision, name string, state desired.Mesh) (from string, lost bool) {
	current := observe.FindRevision(revisions, name)
	if current == nil || current.Status.VerificationTime != nil || current.Status.Baseline == nil || current.Status.Baseline.From == state.Version {
		return "", false
	}
	from = current.Status.Baseline.From
	earlier := observe.FindRevision(revisions, desired.RevisionName(state.Name, from))
	if earlier != nil && earlier.DeletionTimestamp == nil && earlier.Annotations[restoredAnnotation] == "" {
		return from, false // it was not verified either
	}
	return from, from != "" && !slices.ContainsFunc(revisions, func(r v1alpha1.MeshRevision) bool {
		return r.Name != name && r.DeletionTimestamp == nil && r.Status.VerificationTime != nil
	})
}

// createEarlier makes the MeshRevision of a version again. Its objects still exist, and it takes them over.
func (r *Reconciler) createEarlier(ctx context.Context, s *scope, version string, active bool) error {
	release, err := r.Catalogue.Release(version)
	if err != nil {
		return err
	}
	state := s.desired
	state.Version = version
	revision := desired.Revision(s.mesh, state, release.Images)
	revision.Annotations = map[string]string{restoredAnnotation: s.desired.Version}
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
	r.Recorder.Eventf(s.mesh, nil, corev1.EventTypeWarning, "RevisionRestored", "Restore "+revision.Name,
		"made the MeshRevision %s again, which was deleted during the upgrade to %s: the mesh needs it to roll back", revision.Name, s.desired.Version)
	return nil
}

// verifyEarlier records that a restored revision has run the mesh.
func (r *Reconciler) verifyEarlier(ctx context.Context, revision *v1alpha1.MeshRevision) error {
	now := metav1.NewTime(r.Now().Truncate(time.Second))
	return r.recordOnRevision(ctx, revision, func(status *v1alpha1.MeshRevisionStatus) { status.VerificationTime = &now })
}
