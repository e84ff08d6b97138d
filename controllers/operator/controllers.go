package operator

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/openservicemesh/osm-operator/config/crd"
	"github.com/openservicemesh/osm-operator/controllers/operator/certificates"
	"github.com/openservicemesh/osm-operator/controllers/operator/components"
	"github.com/openservicemesh/osm-operator/controllers/operator/mesh"
	"github.com/openservicemesh/osm-operator/controllers/operator/plan"
	"github.com/openservicemesh/osm-operator/controllers/operator/revision"
	"github.com/openservicemesh/osm-operator/controllers/operator/rollout"
	"github.com/openservicemesh/osm-operator/controllers/operator/trust"
	"github.com/openservicemesh/osm-operator/internal/certificate/vault"
	"github.com/openservicemesh/osm-operator/internal/operator/apply"
	"github.com/openservicemesh/osm-operator/internal/operator/component"
	"github.com/openservicemesh/osm-operator/internal/operator/dryrun"
	"github.com/openservicemesh/osm-operator/internal/operator/meshconfig"
	"github.com/openservicemesh/osm-operator/internal/operator/metrics"
	"github.com/openservicemesh/osm-operator/internal/operator/observe"
	"github.com/openservicemesh/osm-operator/internal/operator/restart"
	"github.com/openservicemesh/osm-operator/internal/operator/status"
	"github.com/openservicemesh/osm-operator/internal/platform/compatibility"
)

// parts are what controllers are built from. A simulation builds the same controllers from other parts.
type parts struct {
	cluster    *observe.Cluster
	status     status.Writer
	recorder   events.EventRecorder
	plane      rollout.DataPlane
	restarts   restart.DataPlane
	sidecars   certificates.Sidecars
	health     Health
	mountDelay time.Duration
	vault      certificates.VaultSigner
	tokens     func(ctx context.Context, audience string) (string, error)
	prometheus rollout.Prometheus
	metrics    *metrics.Recorder
	// running is the controller of components, which knows the kinds that the API server serves.
	running *components.Reconciler
	// components are those of every mesh.
	components []component.Component
	// images replace default images of components, by their variables.
	images map[string]string
	// compatibility and definitions are those of the operator. kubernetes is the version of the API server.
	compatibility compatibility.Table
	definitions   []*unstructured.Unstructured
	kubernetes    *mesh.Kubernetes
}

// built are controllers that are also simulated.
type built struct {
	mesh         *mesh.Reconciler
	certificates *certificates.Reconciler
	trust        *trust.Reconciler
	rollout      *rollout.Reconciler
	revision     *revision.Reconciler
	components   *components.Reconciler
}

// newParts are the parts that do not change while the operator runs.
func newParts(kinds discovery.ServerVersionInterface, o Options) (*parts, error) {
	server, err := mesh.ReadKubernetes(kinds)
	if err != nil {
		return nil, err
	}
	definitions, err := mesh.ReadDefinitions(crd.SMI)
	if err != nil {
		return nil, err
	}
	return &parts{compatibility: o.Compatibility, definitions: definitions, kubernetes: server}, nil
}

// applier is a new Applier: each controller has its own.
func (p *parts) applier() *apply.Applier {
	a := apply.New(p.cluster.Client, p.recorder)
	a.Repairs, a.Meshes = p.metrics.RecordRepair, p.cluster.Client
	return a
}

// meshConfigs is a new keeper of MeshConfigs.
func (p *parts) meshConfigs() *meshconfig.Keeper {
	return &meshconfig.Keeper{Cluster: p.cluster, Applier: p.applier(), Recorder: p.recorder}
}

// build builds the controllers that install and upgrade meshes.
func (p *parts) build() built {
	c := p.cluster
	keeper := p.meshConfigs()
	return built{
		mesh: &mesh.Reconciler{
			Cluster: c, Applier: keeper.Applier, Recorder: p.recorder, MeshConfigs: keeper, Status: p.status,
			Definitions: p.definitions, Kubernetes: p.kubernetes, Metrics: p.metrics,
		},
		certificates: &certificates.Reconciler{
			Cluster: c, Applier: p.applier(), Recorder: p.recorder, Status: p.status, Replicas: p.health, Sidecars: p.sidecars,
			MountDelay: p.mountDelay, Jitter: rand.Float64, Vault: p.vault, Tokens: p.tokens,
		},
		trust: &trust.Reconciler{Cluster: c, Applier: p.applier(), Recorder: p.recorder, Status: p.status},
		rollout: &rollout.Reconciler{
			Cluster: c, Applier: p.applier(), Recorder: p.recorder, Status: p.status, DataPlane: p.plane,
			Restarter: restart.New(p.restarts, p.recorder, p.metrics, c.Now), Health: p.health, Prometheus: p.prometheus,
			Compatibility: p.compatibility, Metrics: p.metrics,
		},
		revision: &revision.Reconciler{
			Client: c.Client, Applier: p.applier(), Catalogue: c.Catalogue, OperatorNamespace: c.OperatorNamespace, Now: c.Now,
		},
		components: &components.Reconciler{
			Client: c.Client, Components: p.components, Catalogue: c.Catalogue, OperatorNamespace: c.OperatorNamespace, Images: p.images,
			Now: c.Now, Metrics: p.metrics,
		},
	}
}

// simulated builds the controllers of a simulation. What is only simulated is not counted.
func (p *parts) simulated(s plan.Simulation) []dryrun.Controller {
	twin := *p
	twin.cluster, twin.status, twin.recorder, twin.metrics = s.Cluster, s.Status, s.Recorder, nil
	twin.plane, twin.restarts, twin.sidecars, twin.health, twin.prometheus = s.DataPlane, s.DataPlane, s.Health, s.Health, s.Health
	twin.vault, twin.tokens = unsigned{}, noToken
	b := twin.build()
	b.rollout.ClockJumps = true
	simulated := p.running.Simulated(s.Client, twin.applier(), s.Cluster.Now)
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
		{Name: "Mesh", Requests: mesh, Reconcile: retriable(b.mesh)},
		{Name: "Mesh", Requests: mesh, Reconcile: retriable(b.certificates)},
		{Name: "Mesh", Requests: mesh, Reconcile: retriable(b.trust)},
		{Name: "Mesh", Requests: mesh, Reconcile: retriable(b.rollout)},
		{Name: "Mesh", Requests: mesh, Reconcile: retriable(simulated)},
		{Name: "MeshRevision", Requests: revisions, Reconcile: retriable(b.revision)},
	}
}

// errSimulated rejects what a simulation must not do outside the cluster.
var errSimulated = errors.New("a plan requests no certificate authority from a Vault")

// unsigned signs nothing.
type unsigned struct{}

// Sign rejects a request.
func (unsigned) Sign(context.Context, vault.Server, []byte, string, time.Duration) (vault.Issued, error) {
	return vault.Issued{}, errSimulated
}

func noToken(context.Context, string) (string, error) { return "", errSimulated }

// retriable reconciles without the errors that no retry can cure. The conditions of the Mesh report those.
func retriable(controller reconcile.Reconciler) reconcile.Func {
	return func(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
		result, err := controller.Reconcile(ctx, request)
		if errors.Is(err, reconcile.TerminalError(nil)) {
			return reconcile.Result{}, nil
		}
		return result, err
	}
}
