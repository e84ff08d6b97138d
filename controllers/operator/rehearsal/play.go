package rehearsal

import (
	"context"
	"errors"
	"math"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/openservicemesh/osm-operator/controllers/operator/vitals"
	"github.com/openservicemesh/osm-operator/internal/names"
	"github.com/openservicemesh/osm-operator/internal/prometheus"
	"github.com/openservicemesh/osm-operator/internal/rollout"
)

// PlayDeployments makes the pods of a mesh's Deployments those of their newest specs, and ready.
func (c *Client) PlayDeployments(ctx context.Context, mesh string) error {
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
		if err := c.replacePods(ctx, d); err != nil {
			return err
		}
	}
	return nil
}

// replacePods takes away the pods of a Deployment that are of another version, as Kubernetes would.
func (c *Client) replacePods(ctx context.Context, d *appsv1.Deployment) error {
	var pods corev1.PodList
	if err := c.List(ctx, &pods, client.InNamespace(d.Namespace), client.MatchingLabels{names.AppLabel: d.Name}); err != nil {
		return err
	}
	for i := range pods.Items {
		pod := &pods.Items[i]
		if pod.Labels[names.VersionLabel] == d.Spec.Template.Labels[names.VersionLabel] {
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

// Workloads tells what carries the sidecars of a mesh.
type Workloads interface {
	Workloads(ctx context.Context, mesh string) ([]rollout.Workload, error)
}

// Plane is the data plane of a rehearsal: workloads that are restarted have new sidecars and are ready at once.
type Plane struct {
	cluster *Cluster
	base    Workloads
	moved   map[rollout.Ref]rollout.Restart
	// waves are what was restarted, by the moments at which it was.
	waves [][]rollout.Ref
	last  time.Time
}

// PlaneOver begins with the workloads of base.
func (c *Cluster) PlaneOver(base Workloads) *Plane {
	return &Plane{cluster: c, base: base, moved: map[rollout.Ref]rollout.Restart{}}
}

// Workloads are those of the cluster, with what was restarted.
func (p *Plane) Workloads(ctx context.Context, mesh string) ([]rollout.Workload, error) {
	list, err := p.base.Workloads(ctx, mesh)
	if err != nil {
		return nil, err
	}
	for i := range list {
		restart, moved := p.moved[list[i].Ref]
		if !moved {
			continue
		}
		sidecars := 0
		for _, n := range list[i].Sidecars {
			sidecars += n
		}
		list[i].Sidecars = map[string]int{restart.Revision: sidecars}
		list[i].Restart, list[i].ReadySince, list[i].Settled = restart, restart.At, true
	}
	return list, nil
}

// Leaving is not rehearsed: a mesh that is being removed is not planned.
func (p *Plane) Leaving(context.Context, string, string) ([]rollout.Workload, error) {
	return nil, errors.New("the removal of a mesh is not rehearsed")
}

// Sources are none: nothing changes but by the rehearsal itself.
func (p *Plane) Sources() []source.Source { return nil }

// Restart notes a restart. Those of one moment are a wave.
func (p *Plane) Restart(_ context.Context, ref rollout.Ref, revision string, at time.Time) error {
	if len(p.waves) == 0 || !at.Equal(p.last) {
		p.waves = append(p.waves, nil)
	}
	p.last = at
	p.waves[len(p.waves)-1] = append(p.waves[len(p.waves)-1], ref)
	p.moved[ref] = rollout.Restart{Revision: revision, At: at}
	p.cluster.writes++
	return nil
}

// Waves are what was restarted, in order.
func (p *Plane) Waves() [][]rollout.Ref { return slices.Clone(p.waves) }

// Health is a control plane with which everything is well.
type Health struct{}

// Read says that all gates may pass.
func (Health) Read(context.Context, vitals.Subject) (vitals.Reading, error) {
	return vitals.Reading{
		Proxies: &vitals.Proxies{Connected: math.MaxInt32}, CertificatesUntil: &time.Time{}, Requests: &rollout.Requests{Issued: 1},
	}, nil
}

// ErrorRate is what a Prometheus says when no request fails.
func (Health) ErrorRate(context.Context, prometheus.Target, string, time.Time) (float64, error) {
	return 0, nil
}

// Silence tells nobody of what happens in a rehearsal.
type Silence struct{}

// Eventf writes no Event.
func (Silence) Eventf(runtime.Object, runtime.Object, string, string, string, string, ...any) {}
