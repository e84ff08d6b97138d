package takeover

import (
	"context"
	"fmt"
	"strings"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/conditions"
	"github.com/openservicemesh/osm-operator/internal/operator/observe"
	"github.com/openservicemesh/osm-operator/internal/operator/rollout"
	"github.com/openservicemesh/osm-operator/internal/operator/status"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
	"github.com/openservicemesh/osm-operator/internal/platform/message"
)

// writeStatus writes the progress of a takeover. failed is why it did not go on.
func (r *Reconciler) writeStatus(ctx context.Context, p *pass, failed error) error {
	updated := p.mesh.Status.DeepCopy()
	updated.Adoption = &v1alpha1.AdoptionStatus{
		From: p.progress.From, Step: string(p.step), Version: p.osm.Version, EarlierSidecars: int32(p.earlier), Sidecars: int32(p.own),
	}
	if p.serves {
		updated.Adoption.Service = string(v1alpha1.AdoptionServiceRedirect)
	}
	reason, message := p.explain(failed)
	conditions.NewEditor(&updated.Conditions, p.mesh.Generation, r.Now()).SetOrRemove(true, v1alpha1.ConditionAdopting, reason, message)
	_, err := r.Status.Write(ctx, status.Takeover, p.mesh, updated)
	return err
}

// removeStatus removes the progress from a Mesh that takes nothing over, or no longer.
func (r *Reconciler) removeStatus(ctx context.Context, p *pass) error {
	updated := p.mesh.Status.DeepCopy()
	updated.Adoption = nil
	conditions.NewEditor(&updated.Conditions, p.mesh.Generation, r.Now()).SetOrRemove(false, v1alpha1.ConditionAdopting, "", "")
	_, err := r.Status.Write(ctx, status.Takeover, p.mesh, updated)
	return err
}

// explain returns the reason and the message of the condition.
func (p *pass) explain(failed error) (reason, message string) {
	var sentences []string
	switch {
	case failed != nil:
		reason, sentences = v1alpha1.ReasonAdoptionBlocked, append(sentences, failed.Error())
	case p.blocked != "":
		reason, sentences = v1alpha1.ReasonAdoptionBlocked, append(sentences, p.blocked)
	case p.step == "":
		reason, sentences = v1alpha1.ReasonAdoptionPreparing, append(sentences, "copying the certificate authority and the settings of the Open Service Mesh")
	case p.isChanging():
		reason, sentences = v1alpha1.ReasonAdoptionChanging, append(sentences, fmt.Sprintf("moving from the step %s to %s", p.step, p.target()))
	default:
		reason, sentences = string(p.step), append(sentences, p.next())
	}
	if p.waiting != "" {
		sentences = append(sentences, p.waiting)
	}
	if p.serving != "" {
		sentences = append(sentences, p.serving)
	}
	if observe.ModeOf(p.mesh) == observe.Maintain {
		sentences = append(sentences, "the takeover does not go on, because the Mesh is paused or only planned")
	}
	sentences = append(sentences, fmt.Sprintf("pods with sidecars of the Open Service Mesh: %d, with sidecars of this mesh: %d", p.earlier, p.own))
	return reason, strings.Join(sentences, "; ")
}

// target is the step to move to.
func (p *pass) target() v1alpha1.AdoptionStep {
	if p.progress.IsRemoval {
		return v1alpha1.AdoptionPrepared
	}
	return p.progress.Declared
}

// isChanging reports whether the declared step is not in effect. Complete takes effect when the Open Service Mesh is removed.
func (p *pass) isChanging() bool {
	return p.step != p.target() && p.target() != v1alpha1.AdoptionComplete
}

// next is what comes after the step in effect.
func (p *pass) next() string {
	switch {
	case p.step == v1alpha1.AdoptionComplete:
		return "the takeover is complete: remove spec.adoption"
	case !p.osm.Exists:
		return "the Open Service Mesh is removed: set spec.adoption.step to Complete"
	case p.progress.Declared == v1alpha1.AdoptionComplete && p.earlier > 0 && !p.serves:
		return fmt.Sprintf("restart or delete the workloads with sidecars of the Open Service Mesh before you remove that: %s", refs(p.remaining))
	case p.progress.Declared == v1alpha1.AdoptionComplete:
		return "nothing needs the Open Service Mesh any more: remove it with " + p.osm.Removal()
	case p.step == v1alpha1.AdoptionPrepared && p.own > 0:
		return "the Open Service Mesh injects new pods again, and workloads with sidecars of this mesh restart for its sidecars: see the condition " + v1alpha1.ConditionDataPlaneUpToDate
	case p.step == v1alpha1.AdoptionPrepared && p.serves:
		return "the control plane runs and serves sidecars of the Open Service Mesh: set spec.adoption.step to Injecting to inject new pods"
	case p.step == v1alpha1.AdoptionPrepared:
		return "the control plane runs and serves nobody: set spec.adoption.step to Injecting to inject new pods"
	case p.step == v1alpha1.AdoptionInjecting:
		return "this mesh injects new pods: set spec.adoption.step to Restarting to restart workloads with sidecars of the Open Service Mesh"
	case p.earlier > 0:
		return "workloads with sidecars of the Open Service Mesh restart: see the condition " + v1alpha1.ConditionDataPlaneUpToDate
	}
	return "no sidecar of the Open Service Mesh is left: set spec.adoption.step to Complete"
}

// maxRefs is how many workloads a message names.
const maxRefs = 5

// refs lists the first workloads.
func refs(all []rollout.Ref) string {
	return strings.Join(message.First(lists.Map(all, rollout.Ref.String), maxRefs), ", ")
}
