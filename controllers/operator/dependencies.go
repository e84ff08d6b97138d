package operator

import (
	"cmp"
	"context"
	"math/rand/v2"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/config/crd"
	"github.com/openservicemesh/osm-operator/controllers/operator/certificates"
	"github.com/openservicemesh/osm-operator/controllers/operator/components"
	"github.com/openservicemesh/osm-operator/controllers/operator/mesh"
	"github.com/openservicemesh/osm-operator/controllers/operator/plan"
	"github.com/openservicemesh/osm-operator/controllers/operator/revision"
	"github.com/openservicemesh/osm-operator/controllers/operator/takeover"
	"github.com/openservicemesh/osm-operator/controllers/operator/trust"
	"github.com/openservicemesh/osm-operator/controllers/operator/upgrade"
	"github.com/openservicemesh/osm-operator/internal/certificate/vault"
	"github.com/openservicemesh/osm-operator/internal/operator/apply"
	"github.com/openservicemesh/osm-operator/internal/operator/component"
	"github.com/openservicemesh/osm-operator/internal/operator/component/builtin"
	"github.com/openservicemesh/osm-operator/internal/operator/dryrun"
	"github.com/openservicemesh/osm-operator/internal/operator/health"
	"github.com/openservicemesh/osm-operator/internal/operator/meshconfig"
	"github.com/openservicemesh/osm-operator/internal/operator/metrics"
	"github.com/openservicemesh/osm-operator/internal/operator/observe"
	"github.com/openservicemesh/osm-operator/internal/operator/restart"
	"github.com/openservicemesh/osm-operator/internal/operator/secrets"
	"github.com/openservicemesh/osm-operator/internal/operator/status"
	osm "github.com/openservicemesh/osm-operator/internal/operator/takeover"
	"github.com/openservicemesh/osm-operator/internal/operator/tokens"
	"github.com/openservicemesh/osm-operator/internal/platform/compatibility"
	"github.com/openservicemesh/osm-operator/internal/platform/prometheus"
)

// Dependencies are what the reconcilers of a mesh read, write and measure with. A plan builds the same reconcilers with simulated ones.
type Dependencies struct {
	Cluster  *observe.Cluster
	Status   status.Writer
	Recorder events.EventRecorder
	// DataPlane observes and restarts the workloads with sidecars.
	DataPlane DataPlane
	Health    Health
	// MountDelay is how long it takes at most until pods have the files of a changed Secret.
	MountDelay time.Duration
	Vault      certificates.VaultSigner
	// Tokens returns tokens of the operator's ServiceAccount for an audience.
	Tokens     func(ctx context.Context, audience string) (string, error)
	Prometheus upgrade.Prometheus
	// Pulls brings images to nodes.
	Pulls upgrade.Images
	// Metrics counts what happens; nil counts nothing.
	Metrics *metrics.Recorder
	// Beat notes that a mesh was reconciled; nil notes nothing.
	Beat func()
	// Components are those of every mesh, and Images replace their default images, by the variables of component.Image.
	Components []component.Component
	Images     map[string]string
	// Gateways are those of users.
	Gateways components.Gateways
	// Objects reads and writes the objects of components. Kinds are the kinds that the API server serves.
	Objects client.Client
	Kinds   components.Kinds
	// MetricsAuthorities returns the certificate authorities of the operator's metrics server, in PEM; nil if the operator serves no metrics.
	MetricsAuthorities func(context.Context) (string, error)
	// Definitions are those of the Service Mesh Interface.
	Definitions []*unstructured.Unstructured
	// Kubernetes is the version of the API server.
	Kubernetes *mesh.Kubernetes
	// Parallel is how many namespaces get the trust of a mesh at a time.
	Parallel int
}

// DataPlane observes and restarts the workloads with sidecars.
type DataPlane interface {
	upgrade.DataPlane
	restart.DataPlane
	certificates.Sidecars
}

// Health observes control planes.
type Health interface {
	upgrade.Health
	certificates.Replicas
}

// applier returns a new Applier that reads and writes with a client: each reconciler has its own.
func (d *Dependencies) applier(c client.Client) *apply.Applier {
	a := apply.New(c, d.Recorder)
	a.Repairs, a.Meshes = d.Metrics.RecordRepair, d.Cluster.Client
	return a
}

// meshConfigs returns a new reconciler of MeshConfigs.
func (d *Dependencies) meshConfigs() *meshconfig.Reconciler {
	return &meshconfig.Reconciler{Cluster: d.Cluster, Applier: d.applier(d.Cluster.Client), Recorder: d.Recorder}
}

// restarter returns a new Restarter.
func (d *Dependencies) restarter() *restart.Restarter {
	return restart.New(d.DataPlane, d.Recorder, d.Metrics, d.Cluster.Now)
}

// newDependencies returns the dependencies of a running operator, except for the data plane and the kinds of components.
func newDependencies(mgr ctrl.Manager, o Options, server discovery.ServerVersionInterface) (Dependencies, error) {
	if o.Compatibility == nil {
		o.Compatibility = compatibility.Recorded()
	}
	store, err := secrets.New(mgr)
	if err != nil {
		return Dependencies{}, err
	}
	cluster := &observe.Cluster{
		Client: mgr.GetClient(), Live: mgr.GetAPIReader(), Secrets: store, Catalogue: o.Catalogue, Compatibility: o.Compatibility,
		OperatorNamespace: o.Namespace, Now: o.Now,
	}
	kubernetes, err := mesh.ReadKubernetes(server)
	if err != nil {
		return Dependencies{}, err
	}
	definitions, err := mesh.ReadDefinitions(crd.SMI, crd.MCS)
	if err != nil {
		return Dependencies{}, err
	}
	counters, err := addMetrics(mgr, o)
	if err != nil {
		return Dependencies{}, err
	}
	own := tokens.New(mgr.GetClient(), o.Namespace, o.Now)
	if o.Health == nil {
		o.Health = &health.Reader{Pods: mgr.GetClient(), Owners: mgr.GetAPIReader(), Tokens: own}
	}
	return Dependencies{
		Cluster: cluster, Status: status.NewWriter(mgr.GetClient()), Recorder: eventRecorder(mgr), Metrics: counters,
		Health: o.Health, MountDelay: cmp.Or(o.MountDelay, certificates.DefaultMountDelay), Prometheus: prometheus.New(nil),
		Vault: vault.Signer{}, Tokens: own.ForAudience,
		Components: append(builtin.All(), o.Components...), Images: o.ComponentImages,
		Parallel: trust.Parallel, Definitions: definitions, Kubernetes: kubernetes,
	}, nil
}

// controllers are the reconcilers that install and upgrade meshes. A plan simulates them.
type controllers struct {
	mesh         *mesh.Reconciler
	takeover     *takeover.Reconciler
	certificates *certificates.Reconciler
	trust        *trust.Reconciler
	upgrade      *upgrade.Reconciler
	revision     *revision.Reconciler
	components   *components.Reconciler
}

// newControllers builds the reconcilers that install and upgrade meshes.
func newControllers(d Dependencies) controllers {
	c := d.Cluster
	meshConfigs := d.meshConfigs()
	conversions := osm.NewConversions(c.Live, c.Client)
	return controllers{
		mesh: &mesh.Reconciler{
			Cluster: c, Applier: meshConfigs.Applier, Recorder: d.Recorder, MeshConfigs: meshConfigs, Status: d.Status,
			Definitions: d.Definitions, Conversions: conversions, Kubernetes: d.Kubernetes, Metrics: d.Metrics,
		},
		takeover: &takeover.Reconciler{
			Cluster: c, Recorder: d.Recorder, Status: d.Status, DataPlane: d.DataPlane, Conversions: conversions,
		},
		certificates: &certificates.Reconciler{
			Cluster: c, Applier: d.applier(c.Client), Recorder: d.Recorder, Status: d.Status, Replicas: d.Health, Sidecars: d.DataPlane,
			MountDelay: d.MountDelay, Jitter: rand.Float64, Vault: d.Vault, Tokens: d.Tokens,
		},
		trust: &trust.Reconciler{Cluster: c, Applier: d.applier(c.Client), Recorder: d.Recorder, Status: d.Status, Parallel: d.Parallel},
		upgrade: &upgrade.Reconciler{
			Cluster: c, Applier: d.applier(c.Client), Recorder: d.Recorder, Status: d.Status, DataPlane: d.DataPlane,
			Restarter: d.restarter(), Images: d.Pulls, Health: d.Health, Prometheus: d.Prometheus, Metrics: d.Metrics, Beat: d.Beat,
		},
		revision: &revision.Reconciler{Cluster: c, Applier: d.applier(c.Client)},
		components: &components.Reconciler{
			Cluster: c, Status: d.Status, Objects: d.Objects, Applier: d.applier(d.Objects), Components: d.Components, Kinds: d.Kinds,
			Gateways: d.Gateways, Images: d.Images,
			MetricsAuthorities: d.MetricsAuthorities,
		},
	}
}

// simulated returns the dependencies of the same operator in a simulation. What is only simulated is not counted.
func (d Dependencies) simulated(s plan.Simulation) Dependencies {
	d.Cluster, d.Objects, d.Status, d.Recorder, d.Metrics, d.Beat = s.Cluster, s.Client, s.Status, s.Recorder, nil, nil
	d.DataPlane, d.Health, d.Prometheus = s.DataPlane, s.Health, s.Health
	d.Vault, d.Tokens, d.Parallel, d.Pulls = s.Vault, s.Vault.Token, 1, dryrun.Pulls{}
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
	all := []dryrun.Controller{{Name: "Mesh", Requests: mesh, Reconcile: c.mesh.Reconcile}}
	for _, r := range []reconcile.ObjectReconciler[*v1alpha1.Mesh]{c.takeover, c.certificates, c.trust, c.upgrade, c.components} {
		all = append(all, dryrun.Controller{Name: "Mesh", Requests: mesh, Reconcile: reconcile.AsReconciler(s.Client, r).Reconcile})
	}
	return append(all, dryrun.Controller{Name: "MeshRevision", Requests: revisions, Reconcile: reconcile.AsReconciler(s.Client, c.revision).Reconcile})
}
