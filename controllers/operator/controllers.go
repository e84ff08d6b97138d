package operator

import (
	"context"
	"math/rand/v2"

	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/openservicemesh/osm-operator/controllers/operator/certificates"
	"github.com/openservicemesh/osm-operator/controllers/operator/components"
	"github.com/openservicemesh/osm-operator/controllers/operator/mesh"
	"github.com/openservicemesh/osm-operator/controllers/operator/plan"
	"github.com/openservicemesh/osm-operator/controllers/operator/revision"
	"github.com/openservicemesh/osm-operator/controllers/operator/rollout"
	"github.com/openservicemesh/osm-operator/controllers/operator/trust"
	"github.com/openservicemesh/osm-operator/internal/operator/dryrun"
)

// controllers are the reconcilers that install and upgrade meshes. A plan simulates them.
type controllers struct {
	mesh         *mesh.Reconciler
	certificates *certificates.Reconciler
	trust        *trust.Reconciler
	rollout      *rollout.Reconciler
	revision     *revision.Reconciler
	components   *components.Reconciler
}

// newControllers builds the reconcilers that install and upgrade meshes.
func newControllers(d Dependencies) controllers {
	c := d.Cluster
	meshConfigs := d.meshConfigs()
	return controllers{
		mesh: &mesh.Reconciler{
			Cluster: c, Applier: meshConfigs.Applier, Recorder: d.Recorder, MeshConfigs: meshConfigs, Status: d.Status,
			Definitions: d.Definitions, Kubernetes: d.Kubernetes, Metrics: d.Metrics,
		},
		certificates: &certificates.Reconciler{
			Cluster: c, Applier: d.applier(c.Client), Recorder: d.Recorder, Status: d.Status, Replicas: d.Health, Sidecars: d.DataPlane,
			MountDelay: d.MountDelay, Jitter: rand.Float64, Vault: d.Vault, Tokens: d.Tokens,
		},
		trust: &trust.Reconciler{Cluster: c, Applier: d.applier(c.Client), Recorder: d.Recorder, Status: d.Status},
		rollout: &rollout.Reconciler{
			Cluster: c, Applier: d.applier(c.Client), Recorder: d.Recorder, Status: d.Status, DataPlane: d.DataPlane,
			Restarter: d.restarter(), Health: d.Health, Prometheus: d.Prometheus, Compatibility: d.Compatibility, Metrics: d.Metrics,
		},
		revision: &revision.Reconciler{Cluster: c, Applier: d.applier(c.Client)},
		components: &components.Reconciler{
			Cluster: c, Objects: d.Objects, Applier: d.applier(d.Objects), Components: d.Components, Kinds: d.Kinds, Images: d.Images,
		},
	}
}

// simulated returns the dependencies of the same operator in a simulation. What is only simulated is not counted.
func (d Dependencies) simulated(s plan.Simulation) Dependencies {
	d.Cluster, d.Objects, d.Status, d.Recorder, d.Metrics = s.Cluster, s.Client, s.Status, s.Recorder, nil
	d.DataPlane, d.Health, d.Prometheus = s.DataPlane, s.Health, s.Health
	d.Vault, d.Tokens = s.Vault, s.Vault.Token
	return d
}

// simulatedControllers returns the controllers of a simulation, in the order of a round.
func (d Dependencies) simulatedControllers(s plan.Simulation) []dryrun.Controller {
	c := newControllers(d.simulated(s))
	mesh := func(context.Context) ([]reconcile.Request, error) {
		return []reconcile.Request{{NamespacedName: client.ObjectKey{Name: s.Mesh}}}, nil
	}
	revisions := func(ctx context.Context) ([]reconcile.Request, error) {
		list, err := s.Cluster.Revisions(ctx, s.Mesh)
		var requests []reconcile.Request
		for i := range list {
			requests = append(requests, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&list[i])})
		}
		return requests, err
	}
	return []dryrun.Controller{
		{Name: "Mesh", Requests: mesh, Reconcile: c.mesh.Reconcile},
		{Name: "Mesh", Requests: mesh, Reconcile: c.certificates.Reconcile},
		{Name: "Mesh", Requests: mesh, Reconcile: c.trust.Reconcile},
		{Name: "Mesh", Requests: mesh, Reconcile: c.rollout.Reconcile},
		{Name: "Mesh", Requests: mesh, Reconcile: c.components.Reconcile},
		{Name: "MeshRevision", Requests: revisions, Reconcile: c.revision.Reconcile},
	}
}
