package takeover

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/apply"
	"github.com/openservicemesh/osm-operator/internal/operator/takeover"
)

// complete removes what is left of an Open Service Mesh whose Deployments are gone. The declared step decides whether it may: until Complete, somebody
// may install that again.
func (r *Reconciler) complete(ctx context.Context, p *pass) error {
	if p.progress.IsRemoval {
		// There is nothing to go back to.
		return r.serve(ctx, p)
	}
	isDeclared := p.progress.Declared == v1alpha1.AdoptionComplete
	if !isDeclared && !p.progress.WantsInjection() {
		p.blocked = fmt.Sprintf("the Open Service Mesh in namespace %s is gone, and nobody injects new pods: set spec.adoption.step to Complete", p.progress.From)
		return nil
	}
	own, err := r.renderOwn(ctx, p)
	switch {
	case err != nil:
		return err
	case own == nil && isDeclared:
		p.waiting = "waiting until the control plane of this mesh is ready"
		return nil
	case own == nil:
		return nil
	case !isDeclared:
		return r.transferKinds(ctx, p, true, own)
	}
	for _, kind := range []string{validating, mutating} {
		if err := r.completeKind(ctx, p, r.transferOf(p, kind, true, own[kind])); err != nil {
			return err
		}
	}
	if p.progress.InEffect != v1alpha1.AdoptionComplete { // it reads all definitions
		if err := r.Conversions.RepairFor(ctx, p.mesh, r.Recorder); err != nil {
			return err
		}
	}
	if p.isHeld() {
		return nil
	}
	if err := r.serve(ctx, p); err != nil {
		return err
	}
	if p.step != v1alpha1.AdoptionComplete {
		r.Recorder.Eventf(p.mesh, nil, corev1.EventTypeNormal, "AdoptionStep", "Adopt Complete", "the Open Service Mesh in namespace %s is gone, and the takeover is complete", p.progress.From)
	}
	p.step = v1alpha1.AdoptionComplete
	return nil
}

// completeKind deletes the webhook configurations of the Open Service Mesh once those of this mesh are registered, and their records.
func (r *Reconciler) completeKind(ctx context.Context, p *pass, h takeover.Transfer) error {
	live, err := r.configurations(ctx, p, h)
	if err != nil {
		return err
	}
	if !h.IsRegistered(live) {
		if err := r.takeSteps(ctx, p, h, live); err != nil {
			return err
		}
		if p.step != v1alpha1.AdoptionComplete {
			p.step = v1alpha1.AdoptionRestarting // the rollout does not register them in the first step
		}
		p.waiting = "waiting until the webhooks of this mesh are registered"
		return nil
	}
	for _, object := range live {
		switch {
		case object.GetName() != h.OwnName:
			if err := apply.Delete(ctx, r.Client, object); err != nil {
				return err
			}
			r.Recorder.Eventf(p.mesh, nil, corev1.EventTypeNormal, "Adopted", "Delete "+object.GetName(),
				"deleted the %s %s, which the Open Service Mesh has left", h.Kind, object.GetName())
		case object.GetAnnotations()[takeover.ReplacedAnnotation] != "":
			patch := client.MergeFromWithOptions(object, client.MergeFromWithOptimisticLock{})
			if err := r.Client.Patch(ctx, takeover.Forgotten(object), patch, client.FieldOwner(fieldManager)); err != nil {
				return fmt.Errorf("the record in the %s %s cannot be removed: %w", h.Kind, object.GetName(), err)
			}
		}
	}
	return nil
}
