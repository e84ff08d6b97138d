package pull

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"sync"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/component"
	"github.com/openservicemesh/osm-operator/internal/operator/operand"
	"github.com/openservicemesh/osm-operator/internal/operator/rollout"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// Timeout is how long the nodes are waited for. After that, an upgrade goes on without the pods of those that do not have the image. These get it when their
// node has it.
const Timeout = 2 * time.Minute

// poll is how often late nodes are observed.
const poll = 30 * time.Second

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
	// trials has the last dry run of each image: whether its program runs on the nodes.
	trials map[string]trial
	// pulled is what was observed last for each mesh.
	pulled map[types.UID]observation
}

// observation is what the nodes have of an image.
type observation struct {
	image Image
	rollout.Pulled
	at time.Time
}

// trial is what became of the Envoy of an image.
type trial struct {
	// reason is why it does not run on any node; empty if it does on one, and while that is not known.
	reason string
	at     time.Time
}

// New returns a Puller that writes with a client, and reads live.
func New(c client.Client, live client.Reader, now func() time.Time) *Puller {
	return &Puller{client: c, live: live, now: now, ended: map[types.UID]bool{}, trials: map[string]trial{}, pulled: map[types.UID]observation{}}
}

// Nodes returns the nodes that have an image whose Envoy runs, after it has asked all to pull it. With an error, no node is known to have it, and none is
// waited for.
func (p *Puller) Nodes(ctx context.Context, mesh *v1alpha1.Mesh, image Image) (rollout.Pulled, error) {
	if o := p.observation(mesh); o.image == image && o.Overdue != "" && p.now().Sub(o.at) < poll {
		return o.Pulled, nil
	}
	p.mu.Lock()
	p.ended[mesh.UID] = false
	p.mu.Unlock()
	pulled, err := p.observe(ctx, mesh, image)
	if err != nil {
		pulled = rollout.Pulled{Nodes: rollout.Nodes{}, Overdue: err.Error()}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.pulled[mesh.UID] = observation{image: image, Pulled: pulled, at: p.now()}
	return pulled, err
}

// Pulled returns what Nodes returned last for an image; nothing is known without a call.
func (p *Puller) Pulled(mesh *v1alpha1.Mesh, reference string) rollout.Pulled {
	if o := p.observation(mesh); o.image.Reference == reference {
		return o.Pulled
	}
	return rollout.Pulled{}
}

func (p *Puller) observation(mesh *v1alpha1.Mesh) observation {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.pulled[mesh.UID]
}

// observe creates the DaemonSet of an image, or reads what its pods have pulled.
func (p *Puller) observe(ctx context.Context, mesh *v1alpha1.Mesh, image Image) (rollout.Pulled, error) {
	desired := image.daemonSet(mesh)
	live := &appsv1.DaemonSet{}
	err := p.live.Get(ctx, client.ObjectKeyFromObject(desired), live)
	if apierrors.IsNotFound(err) {
		if err := p.deleteOthers(ctx, mesh, image.Namespace, desired.Name); err != nil {
			return rollout.Pulled{}, err
		}
		if err := p.client.Create(ctx, desired); err != nil {
			return rollout.Pulled{}, fmt.Errorf("the DaemonSet %s/%s, which pulls the image %s, cannot be created: %w", desired.Namespace, desired.Name, image.Reference, err)
		}
		return rollout.Pulled{Nodes: rollout.Nodes{}}, nil
	}
	if err != nil {
		return rollout.Pulled{}, fmt.Errorf("the DaemonSet %s/%s cannot be read: %w", desired.Namespace, desired.Name, err)
	}
	var pods corev1.PodList
	if err := p.live.List(ctx, &pods, client.InNamespace(image.Namespace), client.MatchingLabels(desired.Spec.Selector.MatchLabels)); err != nil {
		return rollout.Pulled{}, fmt.Errorf("the pods of the DaemonSet %s/%s cannot be listed: %w", desired.Namespace, desired.Name, err)
	}
	pulled := rollout.Pulled{Nodes: p.tryOut(image, pods.Items)}
	if p.now().Sub(live.CreationTimestamp.Time) > Timeout {
		pulled.Overdue = fmt.Sprintf("the DaemonSet %s/%s has not pulled the image %s there within %s", desired.Namespace, desired.Name, image.Reference, Timeout)
	}
	return pulled, nil
}

// tryOut returns the nodes on which the Envoy of the image has run, and remembers whether it runs at all.
func (p *Puller) tryOut(image Image, pods []corev1.Pod) rollout.Nodes {
	nodes, reason := rollout.Nodes{}, ""
	for i := range pods {
		switch ended := endOf(&pods[i]); {
		case ended == nil:
		case ended.ExitCode == 0:
			nodes[pods[i].Spec.NodeName] = true
		default:
			reason = fmt.Sprintf("the Envoy of the image %s does not run: `%s --version` ended with the exit code %d on the node %s",
				image.Reference, envoyProgram, ended.ExitCode, pods[i].Spec.NodeName)
		}
	}
	if len(nodes) > 0 {
		reason = "" // the cause is the other node
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.trials[image.Reference] = trial{reason: reason, at: p.now()}
	return nodes
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
	p.mu.Lock()
	defer p.mu.Unlock()
	if t := p.trials[reference]; p.now().Sub(t.at) < Memory {
		return t.reason
	}
	return ""
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
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ended[mesh.UID] = true
	delete(p.pulled, mesh.UID)
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

const (
	// pullContainer uses the image. holdContainer keeps the pod, so that the kubelet does not remove the image.
	pullContainer, holdContainer = "pull", "hold"
	// envoyProgram is in every image of a sidecar.
	envoyProgram = "/usr/local/bin/envoy"
	// userID is the user of both containers.
	userID = 65532
)

// Image is the image of the sidecars of a mesh.
type Image struct {
	// Namespace is that of the control plane.
	Namespace string
	// Reference is the image. Init is that of the init containers of the same version, whose launcher holds the pods.
	Reference, Init string
}

// daemonSet returns the DaemonSet that pulls the image on all nodes.
func (i Image) daemonSet(mesh *v1alpha1.Mesh) *appsv1.DaemonSet {
	sum := sha256.Sum256([]byte(i.Reference + "\n" + i.Init))
	name := names.PullPrefix + hex.EncodeToString(sum[:])[:10]
	labels := operand.Labels(mesh.Name, "")
	labels[names.PullLabel] = mesh.Name
	selector := map[string]string{names.PullLabel: mesh.Name, names.AppLabel: name}
	return &appsv1.DaemonSet{
		ObjectMeta: metav1.ObjectMeta{Namespace: i.Namespace, Name: name, Labels: labels},
		Spec: appsv1.DaemonSetSpec{
			Selector: &metav1.LabelSelector{MatchLabels: selector},
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: selector}, Spec: i.pod(mesh)},
		},
	}
}

func (i Image) pod(mesh *v1alpha1.Mesh) corev1.PodSpec {
	// A node may be full. The slots there have their resources already, so the image must get there too. Without a value, that of the limit would count.
	least := corev1.ResourceList{corev1.ResourceCPU: resource.Quantity{}, corev1.ResourceMemory: resource.Quantity{}}
	most := corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("1"), corev1.ResourceMemory: resource.MustParse("128Mi")}
	container := func(name, image string, command ...string) corev1.Container {
		return corev1.Container{
			Name: name, Image: image, Command: command, SecurityContext: component.ContainerSecurity(),
			Resources: corev1.ResourceRequirements{Requests: least, Limits: most},
		}
	}
	secrets := component.Scheduling(mesh, v1alpha1.SchedulingSpec{}).PullSecrets
	return corev1.PodSpec{
		InitContainers:               []corev1.Container{container(pullContainer, i.Reference, envoyProgram, "--version")},
		Containers:                   []corev1.Container{container(holdContainer, i.Init, "/"+names.LauncherFile, names.LauncherHold)},
		SecurityContext:              component.PodSecurity(userID),
		AutomountServiceAccountToken: ptr.To(false), EnableServiceLinks: ptr.To(false), TerminationGracePeriodSeconds: ptr.To[int64](1),
		// Sidecars run wherever their applications do.
		Tolerations:      []corev1.Toleration{{Operator: corev1.TolerationOpExists}},
		ImagePullSecrets: lists.Map(secrets, func(name string) corev1.LocalObjectReference { return corev1.LocalObjectReference{Name: name} }),
	}
}
