package upgrade

import (
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/apply"
	"github.com/openservicemesh/osm-operator/internal/operator/desired"
	"github.com/openservicemesh/osm-operator/internal/operator/health"
	"github.com/openservicemesh/osm-operator/internal/operator/pull"
	"github.com/openservicemesh/osm-operator/internal/operator/rollout"
	"github.com/openservicemesh/osm-operator/internal/platform/compatibility"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// observeSlots adds which slots of pods serve, if that matters for what is next. The control plane that runs the mesh reports it. While it does not
// answer, no slot is known to serve, and nothing is done about pods with two slots.
func (r *Reconciler) observeSlots(ctx context.Context, p *pass) error {
	limits, active := p.situation.Limits, p.situation.Active
	if active == "" || !rollout.NeedsRoles(p.situation.Workloads, active, limits) && !rollout.NeedsRoles(p.situation.Workloads, p.situation.Desired, limits) {
		return nil
	}
	if active == p.situation.Desired && p.isUpgrading() {
		return nil // the gates read it
	}
	revision, err := r.readActive(ctx, active)
	if err != nil {
		return client.IgnoreNotFound(err)
	}
	reading, err := r.Health.Read(ctx, r.healthTarget(ctx, revision))
	if err != nil {
		return err
	}
	p.setRoles(reading)
	return nil
}

// setRoles adds which slots serve by a report.
func (p *pass) setRoles(reading health.Observation) {
	if reading.Proxies != nil {
		p.situation.Workloads = rollout.WithRoles(p.situation.Workloads, reading.Proxies.Roles)
	}
}

// Images brings images to nodes.
type Images interface {
	// Nodes returns the nodes that have an image, after it has asked the next of those that need it to pull it.
	Nodes(ctx context.Context, mesh *v1alpha1.Mesh, request pull.Request) (rollout.Pulled, error)
	// Pulled returns what Nodes returned last for an image of a mesh.
	Pulled(mesh *v1alpha1.Mesh, reference string) rollout.Pulled
	// Unusable returns why the Envoy of an image does not run; empty if it does, and before it was tried.
	Unusable(reference string) string
	// End removes what pulls images for a mesh.
	End(ctx context.Context, mesh *v1alpha1.Mesh, namespace string) error
}

// observeImages adds which images cannot be used, and which nodes have them. If nothing is pulled ahead, all nodes count as having them.
func (r *Reconciler) observeImages(p *pass) {
	if ahead, _ := desired.Pull(p.mesh); !ahead {
		return
	}
	for name, target := range p.situation.Limits.Slots {
		target.Unusable, target.Pulled = r.Images.Unusable(target.Image), r.Images.Pulled(p.mesh, target.Image)
		p.situation.Limits.Slots[name] = target
	}
}

// pullImage leaves out the slots of the wave whose nodes do not have their image yet. Nothing is pulled any more when the upgrade is complete, rolled back or
// halted, unless pods wait for their nodes: these get the image when their nodes can pull it.
func (r *Reconciler) pullImage(ctx context.Context, p *pass) error {
	ahead, parallelism := desired.Pull(p.mesh)
	if !ahead {
		return r.Images.End(ctx, p.mesh, p.desired.Namespace)
	}
	wave := p.plan.Wave
	target := p.situation.Limits.Slots[wave.Target]
	demand := wave.Demand(target.Image)
	if isNeeded := wave.AwaitsNodes || len(demand.Now) > 0 || !wave.Done() && len(demand.Later) > 0; !isNeeded {
		if wave.Done() && slices.Contains([]rollout.Phase{rollout.Idle, rollout.RolledBack, rollout.Halted}, p.plan.Phase) {
			return r.Images.End(ctx, p.mesh, p.desired.Namespace)
		}
		return nil
	}
	image := pull.Image{Namespace: p.desired.Namespace, Reference: target.Image, Init: target.Init}
	pulled, err := r.Images.Nodes(ctx, p.mesh, pull.Request{Image: image, Demand: demand, Parallelism: parallelism})
	if err != nil {
		if ctx.Err() != nil {
			return err
		}
		r.Recorder.Eventf(p.mesh, nil, corev1.EventTypeWarning, "ImageNotPulled", "Pull", "slots do not get their image before their node has pulled it: %s", err)
	}
	var missing string
	if p.plan.Wave, missing = wave.OnNodes(pulled.Nodes, target.Image); missing != "" {
		p.RequeueAfter(pollInterval)
	}
	return nil
}

// maxNamedNodes is how many nodes an annotation and a condition name.
const maxNamedNodes = 3

// noteKubelets finds nodes whose kubelets are too old for upgrades in place. The injector reads the annotation of the MeshConfig, and then gives pods one
// slot. A flag of the injector would restart it for each such node that joins or leaves.
func (r *Reconciler) noteKubelets(ctx context.Context, p *pass) error {
	if p.situation.Limits.InPlace {
		old, err := r.DataPlane.OldKubelets(ctx)
		if err != nil {
			return err
		}
		p.oldKubelets = lists.Join(old, maxNamedNodes)
	}
	live := &configv1alpha2.MeshConfig{}
	if err := r.Client.Get(ctx, client.ObjectKey{Namespace: p.desired.Namespace, Name: names.MeshConfig}, live); err != nil {
		return client.IgnoreNotFound(err)
	}
	if live.Annotations[names.OldKubeletsAnnotation] == p.oldKubelets {
		return nil
	}
	before := live.DeepCopy()
	delete(live.Annotations, names.OldKubeletsAnnotation)
	if p.oldKubelets != "" {
		metav1.SetMetaDataAnnotation(&live.ObjectMeta, names.OldKubeletsAnnotation, p.oldKubelets)
	}
	if err := r.Client.Patch(ctx, live, client.MergeFrom(before), client.FieldOwner(apply.FieldManager)); err != nil {
		return fmt.Errorf("the MeshConfig cannot be annotated with the nodes whose kubelets are too old for upgrades in place: %w", client.IgnoreNotFound(err))
	}
	return nil
}

// kubeletsNote is why new pods have one slot although the Mesh asks for upgrades in place; empty if they have two.
func (p *pass) kubeletsNote() string {
	if p.oldKubelets == "" {
		return ""
	}
	feature := compatibility.FeatureOf(compatibility.SidecarsInPlace)
	return fmt.Sprintf("%s need kubelets of version %s, and these nodes have older ones: %s; %s until they are upgraded or cordoned",
		feature.Name, feature.Kubelet, p.oldKubelets, feature.Without)
}
