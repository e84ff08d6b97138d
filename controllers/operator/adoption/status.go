package adoption

import (
	"context"
	"fmt"
	"strings"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/conditions"
	"github.com/openservicemesh/osm-operator/internal/operator/observe"
	"github.com/openservicemesh/osm-operator/internal/operator/rollout"
	"github.com/openservicemesh/osm-operator/internal/operator/status"
	"github.com/openservicemesh/osm-operator/internal/platform/message"
)

// writeStatus writes the progress of a takeover. failed is why it did not go on.
func (r *Reconciler) writeStatus(ctx context.Context, s *scope, failed error) error {
	updated := s.mesh.Status.DeepCopy()
	updated.Adoption = &v1alpha1.AdoptionStatus{
		From: s.takeover.From, Step: string(s.step), Version: s.osm.Version, EarlierSidecars: int32(s.earlier), Sidecars: int32(s.own),
	}
	if s.serves {
		updated.Adoption.Service = string(v1alpha1.AdoptionServiceRedirect)
	}
	reason, message := s.explain(failed)
	conditions.NewEditor(&updated.Conditions, s.mesh.Generation, r.Now()).SetOrRemove(true, v1alpha1.ConditionAdopting, reason, message)
	_, err := r.Status.Write(ctx, status.Adoption, s.mesh, updated)
	return err
}

// removeStatus removes the progress from a Mesh that takes nothing over, or no longer.
func (r *Reconciler) removeStatus(ctx context.Context, s *scope) error {
	updated := s.mesh.Status.DeepCopy()
	updated.Adoption = nil
	conditions.NewEditor(&updated.Conditions, s.mesh.Generation, r.Now()).SetOrRemove(false, v1alpha1.ConditionAdopting, "", "")
	_, err := r.Status.Write(ctx, status.Adoption, s.mesh, updated)
	return err
}

// explain returns the reason and the message of the condition.
func (s *scope) explain(failed error) (reason, message string) {
	var sentences []string
	switch {
	case failed != nil:
		reason, sentences = v1alpha1.ReasonAdoptionBlocked, append(sentences, failed.Error())
	case s.blocked != "":
		reason, sentences = v1alpha1.ReasonAdoptionBlocked, append(sentences, s.blocked)
	case s.step == "":
		reason, sentences = v1alpha1.ReasonAdoptionPreparing, append(sentences, "copying the certificate authority and the settings of the Open Service Mesh")
	case s.isChanging():
		reason, sentences = v1alpha1.ReasonAdoptionChanging, append(sentences, fmt.Sprintf("moving from the step %s to %s", s.step, s.target()))
	default:
		reason, sentences = string(s.step), append(sentences, s.next())
	}
	if s.waiting != "" {
		sentences = append(sentences, s.waiting)
	}
	if s.serving != "" {
		sentences = append(sentences, s.serving)
	}
	if observe.ModeOf(s.mesh) == observe.Maintain {
		sentences = append(sentences, "the takeover does not go on, because the Mesh is paused or only planned")
	}
	sentences = append(sentences, fmt.Sprintf("pods with sidecars of the Open Service Mesh: %d, with sidecars of this mesh: %d", s.earlier, s.own))
	return reason, strings.Join(sentences, "; ")
}

// target is the step to move to.
func (s *scope) target() v1alpha1.AdoptionStep {
	if s.takeover.IsRemoval {
		return v1alpha1.AdoptionPrepared
	}
	return s.takeover.Declared
}

// isChanging reports whether the declared step is not in effect. Complete takes effect when the Open Service Mesh is removed.
func (s *scope) isChanging() bool {
	return s.step != s.target() && s.target() != v1alpha1.AdoptionComplete
}

// next is what comes after the step in effect.
func (s *scope) next() string {
	switch {
	case s.step == v1alpha1.AdoptionComplete:
		return "the takeover is complete: remove spec.adoption"
	case !s.osm.Exists:
		return "the Open Service Mesh is removed: set spec.adoption.step to Complete"
	case s.takeover.Declared == v1alpha1.AdoptionComplete && s.earlier > 0 && !s.serves:
		return fmt.Sprintf("restart or delete the workloads with sidecars of the Open Service Mesh before you remove that: %s", refs(s.remaining))
	case s.takeover.Declared == v1alpha1.AdoptionComplete:
		return "nothing needs the Open Service Mesh any more: remove it with " + s.osm.Removal()
	case s.step == v1alpha1.AdoptionPrepared && s.own > 0:
		return "the Open Service Mesh injects new pods again, and workloads with sidecars of this mesh restart for its sidecars: see the condition " + v1alpha1.ConditionDataPlaneUpToDate
	case s.step == v1alpha1.AdoptionPrepared && s.serves:
		return "the control plane runs and serves sidecars of the Open Service Mesh: set spec.adoption.step to Injecting to inject new pods"
	case s.step == v1alpha1.AdoptionPrepared:
		return "the control plane runs and serves nobody: set spec.adoption.step to Injecting to inject new pods"
	case s.step == v1alpha1.AdoptionInjecting:
		return "this mesh injects new pods: set spec.adoption.step to Restarting to restart workloads with sidecars of the Open Service Mesh"
	case s.earlier > 0:
		return "workloads with sidecars of the Open Service Mesh restart: see the condition " + v1alpha1.ConditionDataPlaneUpToDate
	}
	return "no sidecar of the Open Service Mesh is left: set spec.adoption.step to Complete"
}

// maxRefs is how many workloads a message names.
const maxRefs = 5

// refs lists the first workloads.
func refs(all []rollout.Ref) string {
	var words []string
	for _, ref := range all {
		words = append(words, ref.String())
	}
	return strings.Join(message.First(words, maxRefs), ", ")
}
