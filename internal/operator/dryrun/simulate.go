package dryrun

import (
	"context"
	"errors"
	"math"
	"slices"
	"sync"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/certificate/preflight"
	"github.com/openservicemesh/osm-operator/internal/certificate/rotation"
	"github.com/openservicemesh/osm-operator/internal/certificate/vault"
	"github.com/openservicemesh/osm-operator/internal/operator/health"
	"github.com/openservicemesh/osm-operator/internal/operator/operand"
	"github.com/openservicemesh/osm-operator/internal/operator/pull"
	"github.com/openservicemesh/osm-operator/internal/operator/rollout"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
	"github.com/openservicemesh/osm-operator/internal/platform/prometheus"
	"github.com/openservicemesh/osm-operator/internal/platform/report"
)

// SimulateDeployments completes the rollouts of a mesh's Deployments: all pods are ready, and those of other versions are gone.
func (c *Client) SimulateDeployments(ctx context.Context, mesh string) error {
	var deployments appsv1.DeploymentList
	if err := c.List(ctx, &deployments, client.MatchingLabels{names.MeshLabel: mesh}); err != nil {
		return err
	}
	for i := range deployments.Items {
		d := &deployments.Items[i]
		replicas := ptr.Deref(d.Spec.Replicas, 1)
		d.Status = appsv1.DeploymentStatus{
			ObservedGeneration: d.Generation, Replicas: replicas, UpdatedReplicas: replicas, ReadyReplicas: replicas, AvailableReplicas: replicas,
		}
		if err := c.Status().Update(ctx, d); err != nil {
			return err
		}
		if err := c.deleteOutdatedPods(ctx, d); err != nil {
			return err
		}
	}
	return nil
}

// deleteOutdatedPods deletes the pods of a Deployment that run another version. The deletions are not changes of the operator.
func (c *Client) deleteOutdatedPods(ctx context.Context, d *appsv1.Deployment) error {
	var pods corev1.PodList
	if err := c.List(ctx, &pods, client.InNamespace(d.Namespace), client.MatchingLabels{names.AppLabel: d.Name}); err != nil {
		return err
	}
	for i := range pods.Items {
		pod := &pods.Items[i]
		if operand.AreOfOneRevision(pod.Labels, d.Spec.Template.Labels) {
			continue
		}
		gvk, content, err := c.content(pod)
		if err != nil {
			return err
		}
		c.put(key{gvk.GroupKind(), client.ObjectKeyFromObject(pod)}, gvk, content, nil, false)
	}
	return nil
}

// Workloads lists the workloads with sidecars of a mesh, and the calls between their service accounts.
type Workloads interface {
	Workloads(ctx context.Context, mesh string) ([]rollout.Workload, error)
	Calls(ctx context.Context) ([]rollout.Call, error)
	OldKubelets(ctx context.Context) ([]string, error)
}

// DataPlane simulates restarts: a restarted workload has new sidecars and is ready at once.
type DataPlane struct {
	cluster *Cluster
	base    Workloads
	// mu guards the fields below: workloads restart in parallel.
	mu        sync.Mutex
	restarted map[rollout.Ref]rollout.Restart
	// patched has the images of the sidecars that are upgraded in place, by the UID of the pod.
	patched map[string]string
	// inPlace holds their workloads.
	inPlace map[rollout.Ref]bool
	// waves holds the restarted workloads, one element for each moment of the clock.
	waves    [][]rollout.Ref
	lastWave time.Time
}

// DataPlane returns a data plane with the workloads of base.
func (c *Cluster) DataPlane(base Workloads) *DataPlane {
	return &DataPlane{cluster: c, base: base, restarted: map[rollout.Ref]rollout.Restart{}, patched: map[string]string{}, inPlace: map[rollout.Ref]bool{}}
}

// Workloads returns the real workloads with the simulated restarts.
func (p *DataPlane) Workloads(ctx context.Context, mesh string) ([]rollout.Workload, error) {
	list, err := p.base.Workloads(ctx, mesh)
	if err != nil {
		return nil, err
	}
	for i := range list {
		// Every sidecar of a simulation is connected.
		list[i].Running = nil
		for j := range list[i].Slotted {
			p.simulateSlots(&list[i].Slotted[j])
		}
		restart, ok := p.restarted[list[i].Ref]
		if !ok {
			continue
		}
		sidecars := 0
		for _, n := range list[i].Sidecars {
			sidecars += n
		}
		list[i].Sidecars, list[i].Slotted = map[string]int{restart.Revision: sidecars}, nil
		list[i].Restart, list[i].ReadySince, list[i].Ready = restart, restart.At, true
	}
	return list, nil
}

// Calls returns the real calls.
func (p *DataPlane) Calls(ctx context.Context) ([]rollout.Call, error) { return p.base.Calls(ctx) }

// OldKubelets returns the real nodes.
func (p *DataPlane) OldKubelets(ctx context.Context) ([]string, error) {
	return p.base.OldKubelets(ctx)
}

// RunningSidecars returns nothing: no sidecar delays a simulated rotation.
func (p *DataPlane) RunningSidecars(context.Context, string) ([]preflight.Sidecar, error) {
	return nil, nil
}

// Sources returns no watches: only the dry run itself changes anything.
func (p *DataPlane) Sources() []source.Source { return nil }

// Restart restarts a workload. Restarts at the same time of the clock are one wave.
func (p *DataPlane) Restart(_ context.Context, ref rollout.Ref, revision string, at time.Time) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.waves) == 0 || !at.Equal(p.lastWave) {
		p.waves = append(p.waves, nil)
	}
	p.lastWave = at
	p.waves[len(p.waves)-1] = append(p.waves[len(p.waves)-1], ref)
	p.restarted[ref] = rollout.Restart{Revision: revision, At: at}
	p.cluster.writes++
	return nil
}

// simulateSlots has the slot serve that started last, as after a handover. An Envoy takes over at once, and the earlier one has no connections.
func (p *DataPlane) simulateSlots(pod *rollout.SlottedPod) {
	for i := range pod.Slots {
		if image := p.patched[pod.UID]; image != "" {
			pod.Slots[i].Image = image
		}
	}
	serving := 0
	if pod.Slots[1].Started.After(pod.Slots[0].Started) {
		serving = 1
	}
	pod.Slots[serving].Role = report.Serving
}

// InPlace counts the workloads whose sidecars were upgraded in place.
func (p *DataPlane) InPlace() int { return len(p.inPlace) }

// PatchSlot changes the image of the sidecar of a pod.
func (p *DataPlane) PatchSlot(_ context.Context, patch rollout.PodPatch) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.patched[patch.UID], p.inPlace[patch.Workload] = patch.Declared, true
	p.cluster.writes++
	return nil
}

// Reference refers to nothing: a simulation records no Event.
func (p *DataPlane) Reference(context.Context, rollout.Ref, string) *corev1.ObjectReference {
	return &corev1.ObjectReference{}
}

// VersionOf returns nothing: no simulated restart is denied.
func (p *DataPlane) VersionOf(context.Context, rollout.Ref) string { return "" }

// Waves returns the restarted workloads in order. Those of one wave are sorted.
func (p *DataPlane) Waves() [][]rollout.Ref {
	return lists.Map(p.waves, func(wave []rollout.Ref) []rollout.Ref {
		return slices.SortedFunc(slices.Values(wave), rollout.Ref.Compare)
	})
}

// Health observes a control plane for which every gate passes.
type Health struct{}

// Replicas returns nothing: in a simulation no control plane has loaded a new certificate authority.
func (Health) Replicas(context.Context, health.Target) ([]rotation.Replica, error) { return nil, nil }

// Read returns an observation for which every gate passes.
func (Health) Read(context.Context, health.Target) (health.Observation, error) {
	return health.Observation{
		Proxies: &health.Proxies{Connected: math.MaxInt32}, CertificatesUntil: map[string]time.Time{}, Flows: []rollout.Flow{},
	}, nil
}

// ErrorRate returns the rate of a Prometheus without failed requests.
func (Health) ErrorRate(context.Context, prometheus.Target, string, time.Time) (float64, error) {
	return 0, nil
}

// Pulls are nodes that have every image.
type Pulls struct{}

// Nodes returns all nodes.
func (Pulls) Nodes(context.Context, *v1alpha1.Mesh, pull.Request) (rollout.Pulled, error) {
	return rollout.Pulled{}, nil
}

// Pulled returns all nodes.
func (Pulls) Pulled(*v1alpha1.Mesh, string) rollout.Pulled { return rollout.Pulled{} }

// Unusable returns nothing: all images can be used.
func (Pulls) Unusable(string) string { return "" }

// End does nothing.
func (Pulls) End(context.Context, *v1alpha1.Mesh, string) error { return nil }

// errVault rejects what a dry run must not do outside the cluster.
var errVault = errors.New("a plan requests no certificate authority from a Vault")

// Vault signs nothing.
type Vault struct{}

// Sign rejects a request.
func (Vault) Sign(context.Context, vault.Server, []byte, string, time.Duration) (vault.Issued, error) {
	return vault.Issued{}, errVault
}

// Token rejects a request for a token with which the operator would log in to a Vault.
func (Vault) Token(context.Context, string) (string, error) { return "", errVault }

// DiscardEvents is an EventRecorder without output.
type DiscardEvents struct{}

// Eventf discards an Event.
func (DiscardEvents) Eventf(runtime.Object, runtime.Object, string, string, string, string, ...any) {}
