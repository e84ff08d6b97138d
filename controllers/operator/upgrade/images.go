package upgrade

import (
	"context"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/pull"
	"github.com/openservicemesh/osm-operator/internal/operator/rollout"
)

// Images brings images to nodes.
type Images interface {
	// Nodes returns the nodes that have an image, after it has asked all to pull it.
	Nodes(ctx context.Context, mesh *v1alpha1.Mesh, image pull.Image) (rollout.Pulled, error)
	// Pulled returns what Nodes returned last for an image of a mesh.
	Pulled(mesh *v1alpha1.Mesh, reference string) rollout.Pulled
	// Unusable returns why the Envoy of an image does not run; empty if it does, and before it was tried.
	Unusable(reference string) string
	// End removes what pulls images for a mesh.
	End(ctx context.Context, mesh *v1alpha1.Mesh, namespace string) error
}

// observeImages adds which images cannot be used, and which nodes have them.
func (r *Reconciler) observeImages(p *pass) {
	for name, target := range p.situation.Limits.Slots {
		target.Unusable, target.Pulled = r.Images.Unusable(target.Image), r.Images.Pulled(p.mesh, target.Image)
		p.situation.Limits.Slots[name] = target
	}
}

// pullImage leaves out the slots of the wave whose nodes do not have their image yet. Nothing is pulled any more when the upgrade is complete, rolled back or
// halted, unless pods wait for their nodes: these get the image when their nodes can pull it.
func (r *Reconciler) pullImage(ctx context.Context, p *pass) error {
	wave := p.plan.Wave
	target := p.situation.Limits.Slots[wave.Target]
	if !wave.NeedsImage(target.Image) && !wave.AwaitsNodes {
		if wave.Done() && slices.Contains([]rollout.Phase{rollout.Idle, rollout.RolledBack, rollout.Halted}, p.plan.Phase) {
			return r.Images.End(ctx, p.mesh, p.desired.Namespace)
		}
		return nil
	}
	pulled, err := r.Images.Nodes(ctx, p.mesh, pull.Image{Namespace: p.desired.Namespace, Reference: target.Image, Init: target.Init})
	if err != nil {
		if ctx.Err() != nil {
			return err
		}
		r.Recorder.Eventf(p.mesh, nil, corev1.EventTypeWarning, "ImageNotPulled", "Pull", "no slot gets its image, because no node is known to have pulled it: %s", err)
	}
	var missing string
	if p.plan.Wave, missing = wave.OnNodes(pulled.Nodes, target.Image); missing != "" {
		p.RequeueAfter(pollInterval)
	}
	return nil
}
