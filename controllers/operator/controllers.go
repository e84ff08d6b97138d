package operator

import (
	"math/rand/v2"

	"github.com/openservicemesh/osm-operator/controllers/operator/certificates"
	"github.com/openservicemesh/osm-operator/controllers/operator/components"
	"github.com/openservicemesh/osm-operator/controllers/operator/mesh"
	"github.com/openservicemesh/osm-operator/controllers/operator/revision"
	"github.com/openservicemesh/osm-operator/controllers/operator/rollout"
	"github.com/openservicemesh/osm-operator/controllers/operator/trust"
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
		revision: &revision.Reconciler{
			Client: c.Client, Applier: d.applier(c.Client), Catalogue: c.Catalogue, OperatorNamespace: c.OperatorNamespace, Now: c.Now,
		},
		components: &components.Reconciler{
			Client: c.Client, Objects: d.Objects, Applier: d.applier(d.Objects), Components: d.Components, Kinds: d.Kinds,
			Catalogue: c.Catalogue, OperatorNamespace: c.OperatorNamespace, Images: d.Images, Now: c.Now,
		},
	}
}
