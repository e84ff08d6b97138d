package operator

import (
	"context"

	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/openservicemesh/osm-operator/controllers/operator/plan"
	"github.com/openservicemesh/osm-operator/internal/operator/dryrun"
)

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
