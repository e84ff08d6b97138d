package pull

import (
	"cmp"
	"context"
	"fmt"
	"sync"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/rollout"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// Timeout is how long the nodes may take. After that, slots get the image on all of them, and what keeps them from starting is seen there.
const Timeout = 2 * time.Minute

// Memory is how long an image counts as unusable. After that it is tried again, because a tag can get another content.
const Memory = 10 * time.Minute

// Puller lets nodes pull images, for all meshes. It reads from the API server, and only during upgrades in place.
type Puller struct {
	client client.Client
	live   client.Reader
	now    func() time.Time

	mu sync.Mutex
	// ended are the meshes that have no DaemonSet.
	ended map[types.UID]bool
	// trials are those of the images.
	trials map[string]trial
}

// trial is what became of the Envoy of an image.
type trial struct {
	// runs is true if it runs on a node. reason is why it does not run on any; empty while that is not known.
	runs   bool
	reason string
	at     time.Time
}

// New returns a Puller that writes with a client, and reads live.
func New(c client.Client, live client.Reader, now func() time.Time) *Puller {
	return &Puller{client: c, live: live, now: now, ended: map[types.UID]bool{}, trials: map[string]trial{}}
}

// Nodes returns the nodes that have an image whose Envoy runs, after it has asked all to pull it. nil stands for all nodes: their time is over, and Envoy does
// not fail on each that has tried it.
func (p *Puller) Nodes(ctx context.Context, mesh *v1alpha1.Mesh, image Image) (rollout.Nodes, error) {
	p.setEnded(mesh, false)
	desired := image.daemonSet(mesh)
	live := &appsv1.DaemonSet{}
	err := p.live.Get(ctx, client.ObjectKeyFromObject(desired), live)
	if apierrors.IsNotFound(err) {
		if err := p.deleteOthers(ctx, mesh, image.Namespace, desired.Name); err != nil {
			return nil, err
		}
		if err := p.client.Create(ctx, desired); err != nil {
			return nil, fmt.Errorf("the DaemonSet %s/%s, which pulls the image %s, cannot be created: %w", desired.Namespace, desired.Name, image.Reference, err)
		}
		return rollout.Nodes{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("the DaemonSet %s/%s cannot be read: %w", desired.Namespace, desired.Name, err)
	}
	isLate := p.now().Sub(live.CreationTimestamp.Time) > Timeout
	if isLate && p.trial(image.Reference).runs {
		return nil, nil
	}
	var pods corev1.PodList
	if err := p.live.List(ctx, &pods, client.InNamespace(image.Namespace), client.MatchingLabels(desired.Spec.Selector.MatchLabels)); err != nil {
		return nil, fmt.Errorf("the pods of the DaemonSet %s/%s cannot be listed: %w", desired.Namespace, desired.Name, err)
	}
	nodes, reason := rollout.Nodes{}, ""
	for i := range pods.Items {
		switch ended := endOf(&pods.Items[i]); {
		case ended == nil:
		case ended.ExitCode == 0:
			nodes[pods.Items[i].Spec.NodeName] = true
		default:
			reason = fmt.Sprintf("the Envoy of the image %s does not run: `%s --version` ended with the exit code %d on the node %s",
				image.Reference, envoyProgram, ended.ExitCode, pods.Items[i].Spec.NodeName)
		}
	}
	if len(nodes) > 0 {
		reason = "" // the cause is the other node
	}
	p.setTrial(image.Reference, trial{runs: len(nodes) > 0, reason: reason, at: p.now()})
	if isLate && reason == "" {
		return nil, nil
	}
	return nodes, nil
}

// endOf returns how Envoy of a pod's image ended; nil while the image is pulled, and while Envoy runs for the first time.
func endOf(pod *corev1.Pod) *corev1.ContainerStateTerminated {
	for _, status := range pod.Status.InitContainerStatuses {
		if status.Name == pullContainer {
			return cmp.Or(status.State.Terminated, status.LastTerminationState.Terminated)
		}
	}
	return nil
}

// Unusable returns why the Envoy of an image does not run; empty if it does on any node, before one has tried, and a while after.
func (p *Puller) Unusable(reference string) string {
	if t := p.trial(reference); p.now().Sub(t.at) < Memory {
		return t.reason
	}
	return ""
}

func (p *Puller) trial(reference string) trial {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.trials[reference]
}

func (p *Puller) setTrial(reference string, t trial) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.trials[reference] = t
}

// End deletes the DaemonSets of a mesh.
func (p *Puller) End(ctx context.Context, mesh *v1alpha1.Mesh, namespace string) error {
	p.mu.Lock()
	ended := p.ended[mesh.UID]
	p.mu.Unlock()
	if ended {
		return nil
	}
	if err := p.deleteOthers(ctx, mesh, namespace, ""); err != nil {
		return err
	}
	p.setEnded(mesh, true)
	return nil
}

// deleteOthers deletes the DaemonSets of a mesh, except for one.
func (p *Puller) deleteOthers(ctx context.Context, mesh *v1alpha1.Mesh, namespace, kept string) error {
	var list appsv1.DaemonSetList
	if err := p.live.List(ctx, &list, client.InNamespace(namespace), client.MatchingLabels{names.PullLabel: mesh.Name}); err != nil {
		return fmt.Errorf("the DaemonSets in %s cannot be listed: %w", namespace, err)
	}
	for i := range list.Items {
		if list.Items[i].Name == kept {
			continue
		}
		err := p.client.Delete(ctx, &list.Items[i], client.PropagationPolicy(metav1.DeletePropagationBackground))
		if client.IgnoreNotFound(err) != nil {
			return fmt.Errorf("the DaemonSet %s/%s cannot be deleted: %w", namespace, list.Items[i].Name, err)
		}
	}
	return nil
}

func (p *Puller) setEnded(mesh *v1alpha1.Mesh, ended bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ended[mesh.UID] = ended
}
