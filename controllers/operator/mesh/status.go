package mesh

import (
	"context"
	"errors"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/conditions"
	"github.com/openservicemesh/osm-operator/internal/operator/metrics"
	"github.com/openservicemesh/osm-operator/internal/operator/observe"
	"github.com/openservicemesh/osm-operator/internal/operator/status"
	"github.com/openservicemesh/osm-operator/internal/operator/webhooks"
)

// writeStatus writes the mesh controller's part of the status, whatever the phases achieved, and the summary of all parts. failed is why
// the phases ended early.
func (r *Reconciler) writeStatus(ctx context.Context, s *scope, failed error) error {
	members, err := r.Members(ctx, s.mesh.Name)
	if err != nil {
		return err
	}
	s.status.ObservedGeneration = s.mesh.Generation
	s.status.Namespace, s.status.DesiredVersion = s.desired.Namespace, s.desired.Version
	s.status.Namespaces = int32(len(members))
	if err := r.setConditions(ctx, s, failed); err != nil {
		return err
	}
	view := s.mesh.DeepCopy()
	view.Status = *s.status
	s.status.Phase, _ = metrics.PhaseOf(view)
	summarise(view, s.desired.Namespace, r.Now()).write(s.status)
	written, err := r.Status.Write(ctx, status.Mesh, s.mesh, s.status)
	if err != nil || written == nil {
		return err
	}
	r.Metrics.RecordStatus(s.mesh, written, r.Now())
	r.recordTransition(s.mesh, written)
	return nil
}

// setConditions sets the conditions of the mesh controller's own questions.
func (r *Reconciler) setConditions(ctx context.Context, s *scope, failed error) error {
	editor := conditions.NewEditor(&s.status.Conditions, s.mesh.Generation, r.Now())
	editor.SetOrRemove(observe.IsPaused(s.mesh), v1alpha1.ConditionPaused, v1alpha1.ReasonPaused, pausedMessage(s.mesh))
	if observe.ModeOf(s.mesh) != observe.Apply {
		// Nothing is being installed, and the MeshConfig is not assessed.
		editor.SetOrRemove(false, v1alpha1.ConditionInstalled, "", "")
		editor.SetOrRemove(false, v1alpha1.ConditionConfigurationAccepted, "", "")
		return nil
	}
	installed, err := r.assessInstalled(ctx, s, failed)
	if err != nil {
		return err
	}
	editor.Set(v1alpha1.ConditionInstalled, installed)
	configuration := observe.Waiting("the MeshConfig has not been read yet")
	if s.configuration != nil {
		configuration = *s.configuration
	}
	editor.Set(v1alpha1.ConditionConfigurationAccepted, configuration)
	return nil
}

// pausedMessage returns what spec.paused keeps the operator from.
func pausedMessage(mesh *v1alpha1.Mesh) string {
	switch {
	case mesh.DeletionTimestamp != nil:
		return "the Mesh is being deleted, and spec.paused stops the removal: remove spec.paused to continue"
	case observe.IsPlanOnly(mesh):
		return "spec.paused keeps the operator from changing anything of this mesh, whatever spec.mode says"
	}
	return "spec.paused keeps the operator from changing anything of this mesh but its certificates and their distribution: take it away to go on"
}

// assessInstalled reports what has been applied, and which webhooks are still missing.
func (r *Reconciler) assessInstalled(ctx context.Context, s *scope, failed error) (conditions.Assessment, error) {
	var stalled *observe.StalledError
	switch {
	case errors.As(failed, &stalled):
		return conditions.Assessment{State: conditions.Stalled, Reason: stalled.Reason, Message: stalled.Message}, nil
	case failed != nil:
		return conditions.Assessment{State: conditions.Failing, Reason: v1alpha1.ReasonApplyFailed, Message: failed.Error()}, nil
	}
	missing, err := webhooks.Missing(ctx, r.Cluster, s.mesh.Name)
	if err != nil {
		return conditions.Assessment{}, err
	}
	var notes []string
	for _, webhook := range missing {
		notes = append(notes, webhook+" is registered as soon as its pods are ready")
	}
	notes = append(notes, s.notes...)
	if ignored := s.session.IgnoredObjects(); ignored != "" {
		notes = append(notes, ignored)
	}
	if len(missing) > 0 {
		return conditions.Assessment{State: conditions.Progressing, Reason: v1alpha1.ReasonWaitingForReplicas, Message: strings.Join(notes, "; ")}, nil
	}
	return conditions.Assessment{State: conditions.Ready, Reason: v1alpha1.ReasonApplied, Message: strings.Join(append([]string{"everything is applied"}, notes...), "; ")}, nil
}

// recordTransition records an Event when the reason or the status of Ready is another one.
func (r *Reconciler) recordTransition(before, after *v1alpha1.Mesh) {
	was := meta.FindStatusCondition(before.Status.Conditions, v1alpha1.ConditionReady)
	is := meta.FindStatusCondition(after.Status.Conditions, v1alpha1.ConditionReady)
	if is == nil || was != nil && was.Reason == is.Reason && was.Status == is.Status {
		return
	}
	kind := corev1.EventTypeNormal
	if is.Status == "False" {
		kind = corev1.EventTypeWarning
	}
	r.Recorder.Eventf(after, nil, kind, is.Reason, "Observe", "%s", is.Message)
}
