package upgrade

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/certificate/rotation"
	"github.com/openservicemesh/osm-operator/internal/operator/apply"
	"github.com/openservicemesh/osm-operator/internal/operator/desired"
	"github.com/openservicemesh/osm-operator/internal/operator/enqueue"
	"github.com/openservicemesh/osm-operator/internal/operator/health"
	"github.com/openservicemesh/osm-operator/internal/operator/metrics"
	"github.com/openservicemesh/osm-operator/internal/operator/observe"
	"github.com/openservicemesh/osm-operator/internal/operator/operand"
	"github.com/openservicemesh/osm-operator/internal/operator/restart"
	"github.com/openservicemesh/osm-operator/internal/operator/rollout"
	"github.com/openservicemesh/osm-operator/internal/operator/secrets"
	"github.com/openservicemesh/osm-operator/internal/operator/status"
	"github.com/openservicemesh/osm-operator/internal/operator/takeover"
	"github.com/openservicemesh/osm-operator/internal/operator/webhooks"
)

// DataPlane observes the workloads with sidecars.
type DataPlane interface {
	// Workloads are all that carry sidecars of a mesh.
	Workloads(ctx context.Context, mesh string) ([]rollout.Workload, error)
	takeover.Calls
	// OldKubelets are the nodes for new pods whose kubelets do not restart a sidecar with another image, sorted.
	OldKubelets(ctx context.Context) ([]string, error)
	// Sources are watches of them, as requests for a mesh.
	Sources() []source.Source
}

// Reconciler rolls out versions of control planes. All fields are required.
type Reconciler struct {
	*observe.Cluster
	// Applier writes what is rendered.
	Applier *apply.Applier
	// Recorder records Events about a Mesh.
	Recorder events.EventRecorder
	// Status writes the status of a Mesh.
	Status status.Writer
	// DataPlane observes the workloads with sidecars.
	DataPlane DataPlane
	// Restarter restarts workloads.
	Restarter *restart.Restarter
	// Images brings images to nodes.
	Images Images
	// Health observes control planes.
	Health Health
	// Prometheus measures failed requests, for Meshes that name one.
	Prometheus Prometheus
	// Metrics counts what happens; nil counts nothing.
	Metrics *metrics.Recorder
	// Beat notes that a mesh was reconciled, with or without an error. Each mesh is then reconciled once in a minute at least; nil notes nothing.
	Beat func()
}

// heartbeat is how often an idle mesh is observed, so that metrics differ for a stuck operator and an idle one.
const heartbeat = time.Minute

// pollInterval is how often an upgrade is observed: the inputs of gates send no events.
const pollInterval = 2 * time.Second

// finishingInterval is how often gates are evaluated while workloads remain that could not be upgraded with the others.
const finishingInterval = maxObservationGap / 2

// pass is the shared state of the steps of one reconciliation. Each step may read what earlier ones wrote.
type pass struct {
	enqueue.Schedule
	mesh    *v1alpha1.Mesh
	desired desired.Mesh
	// session applies objects, and notes which of them ignore drift.
	session   *apply.Session
	namespace *corev1.Namespace
	// release is that of the desired version.
	release *operand.Release
	bundles webhooks.Bundles
	// chosen is the desired MeshRevision, and images are those of its version.
	chosen desired.Choice
	images operand.Images
	// current is the desired MeshRevision; nil when it does not exist.
	current *v1alpha1.MeshRevision
	// active is the MeshRevision that runs the mesh's own Deployments, by the plan; nil when it does not exist.
	active *v1alpha1.MeshRevision
	// situation and plan are written by decide.
	situation rollout.Situation
	plan      rollout.Plan
	// applied is true when a MeshRevision was written, so that its status is about an earlier spec.
	applied bool
	// bridge is the time in which sidecars of Open Service Mesh are served; nil if the Mesh declares none, or the MeshRevision is not applied yet.
	bridge *v1alpha1.BridgeStatus
	// oldKubelets names nodes on which sidecars cannot be upgraded in place; empty for none, and for a Mesh that does not ask for it.
	oldKubelets string
	// waiting describes what the rollout waits for before it may begin.
	waiting string
}

// SetupWithManager watches Meshes, their MeshConfigs, MeshRevisions, Services and webhooks, and the sidecars.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager) error {
	mapper := enqueue.Mapper{Cluster: r.Cluster}
	changes := enqueue.MeshChanges(v1alpha1.ConditionInstalled, v1alpha1.ConditionCertificatesReady, v1alpha1.ConditionAdopting)
	b := enqueue.NewController(mgr, "rollout", changes).
		Watches(&corev1.Namespace{}, mapper.ByNamespace()).
		Watches(&configv1alpha2.MeshConfig{}, mapper.BySiblings(), builder.WithPredicates(predicate.GenerationChangedPredicate{}))
	enqueue.Watch(b, enqueue.ByMeshLabel(), &v1alpha1.MeshRevision{}, &corev1.Service{},
		&admissionv1.MutatingWebhookConfiguration{}, &admissionv1.ValidatingWebhookConfiguration{})
	return enqueue.Complete(b, r.Client, r, slices.Concat(r.Secrets.Sources(mapper.BySecret), r.DataPlane.Sources())...)
}

// Reconcile takes one mesh one step further, and writes the rollout's part of the status once.
func (r *Reconciler) Reconcile(ctx context.Context, mesh *v1alpha1.Mesh) (reconcile.Result, error) {
	if r.Beat != nil {
		defer r.Beat()
	}
	p := &pass{mesh: mesh, desired: r.Desired(mesh), session: r.Applier.For(mesh)}
	allowed, err := r.mayRollOut(ctx, p)
	if err == nil && allowed {
		err = r.run(ctx, p)
		r.Metrics.RecordGates(mesh.Name, p.situation.Verdicts)
		r.Metrics.RecordWave(mesh.Name, p.plan.Wave)
	}
	if written := r.writeStatus(ctx, p, err); written != nil || err != nil && !observe.IsStalledError(err) {
		return reconcile.Result{}, errors.Join(err, written)
	}
	r.Metrics.RecordReconciliation(mesh.Name, r.Now())
	if r.Beat != nil {
		p.RequeueAfter(heartbeat)
	}
	return reconcile.Result{RequeueAfter: p.Requeue}, nil
}

// mayRollOut is true when the Mesh is accepted, and what the control plane needs exists. Otherwise it notes what the rollout waits for.
func (r *Reconciler) mayRollOut(ctx context.Context, p *pass) (bool, error) {
	if observe.ModeOf(p.mesh) != observe.Apply {
		return false, nil
	}
	if !observe.IsAccepted(p.mesh) {
		// What the mesh controller fails to apply to a mesh that runs does not keep a rollout from going on.
		deployed, err := r.IsDeployed(ctx, p.mesh.Name, p.desired.Namespace)
		if err != nil || !deployed || observe.IsStalled(p.mesh) {
			p.waiting = "waiting for the condition " + v1alpha1.ConditionInstalled
			return false, err
		}
	}
	var err error
	if p.namespace, err = r.Namespace(ctx, p.desired.Namespace); err != nil {
		return false, err
	}
	if p.namespace == nil || p.namespace.DeletionTimestamp != nil {
		p.waiting = "waiting for the namespace " + p.desired.Namespace
		return false, nil
	}
	if p.bundles, err = webhooks.ReadBundles(ctx, r.Secrets, p.desired.Namespace); err != nil {
		return false, err
	}
	if len(p.bundles[secrets.InjectorCert]) == 0 || len(p.bundles[secrets.ValidatorCert]) == 0 {
		p.waiting = "waiting for the condition " + v1alpha1.ConditionCertificatesReady
		return false, nil
	}
	p.release, err = r.Catalogue.Release(p.desired.Version)
	return err == nil, err
}

// run decides about the next step, then takes it.
func (r *Reconciler) run(ctx context.Context, p *pass) error {
	if err := r.choose(ctx, p); err != nil {
		return err
	}
	if whole, err := r.restoreEarlier(ctx, p); err != nil || !whole {
		return err
	}
	for _, step := range []func(context.Context, *pass) error{
		r.decide, r.noteKubelets, r.waitForCanaryCertificate, r.findActive, r.withdrawCanary, r.reconcileRevisions, r.reconcileWebhooks, r.restart, r.retire,
	} {
		if err := step(ctx, p); err != nil {
			return err
		}
	}
	return nil
}

// choose decides which MeshRevision is the desired one.
func (r *Reconciler) choose(ctx context.Context, p *pass) error {
	revisions, err := r.Revisions(ctx, p.mesh.Name)
	if err != nil {
		return err
	}
	p.chosen, p.images, err = r.Choose(ctx, p.mesh, revisions)
	return err
}

// decide observes the mesh and computes the plan for its way to the desired version. Until the desired revision is verified, the gates are
// evaluated each time.
func (r *Reconciler) decide(ctx context.Context, p *pass) error {
	situation, err := r.observeSituation(ctx, p)
	if err != nil {
		return err
	}
	p.situation = situation
	if err := r.checkStep(p); err != nil {
		return err
	}
	r.observeImages(p)
	if err := r.recordUnread(ctx, p); err != nil {
		return err
	}
	if err := r.observeSlots(ctx, p); err != nil {
		return err
	}
	if p.isUpgrading() || p.situation.IsFinishing() {
		p.RequeueAfter(finishingInterval)
		if p.isUpgrading() {
			p.RequeueAfter(pollInterval)
		}
		if err := r.evaluateGates(ctx, p); err != nil {
			return err
		}
	} else if p.current != nil {
		p.situation.Verdicts = rollout.Evaluate(observation(p, health.Observation{}), desired.Bounds(p.mesh))
	}
	p.plan = rollout.NextPlan(p.situation)
	measured, err := r.measureBaseline(ctx, p)
	if err != nil {
		return err
	}
	switch {
	case p.isRotating():
		p.plan = rollout.WaitingPlan(p.situation, "a rotation of the certificate authority is in progress, and the version changes after it: see the condition "+v1alpha1.ConditionRotatingAuthority)
	case !measured:
		p.plan = rollout.WaitingPlan(p.situation, "noting how many requests fail with the version that runs")
	}
	takeover.GoBack(p.mesh, &p.situation, &p.plan, r.Now())
	p.plan.Wave.TakeBacks = rollout.TakeBacks(p.situation.Workloads, p.situation.Now)
	p.RequeueAfter(p.plan.Wave.RequeueAfter)
	if !p.plan.Wave.Done() {
		p.RequeueAfter(pollInterval)
	}
	return nil
}

// isRotating is true if another version should begin while the mesh moves to another certificate authority: the proof needs the replicas that
// run. A rotation whose authority is rejected makes no progress and holds nothing up, and neither does one that begins later.
func (p *pass) isRotating() bool {
	rotating := meta.FindStatusCondition(p.mesh.Status.Conditions, v1alpha1.ConditionRotatingAuthority)
	return p.isUpgrading() && !p.isActing() && p.situation.Active != "" && !p.situation.Rejected() &&
		rotating != nil && rotating.Status == metav1.ConditionTrue && rotating.Reason != string(rotation.AuthorityRejected)
}

// restart restarts the workloads of the plan's wave, and changes the images of its slots.
func (r *Reconciler) restart(ctx context.Context, p *pass) error {
	again, err := r.Restarter.Run(ctx, p.mesh, p.plan.Wave, "Restart", func(ref rollout.Ref) string {
		return fmt.Sprintf("restarted %s for the sidecars of %s", ref, p.plan.Wave.Target)
	})
	p.RequeueAfter(again)
	if err != nil {
		return err
	}
	if err := r.pullImage(ctx, p); err != nil {
		return err
	}
	again, err = r.Restarter.PatchSlots(ctx, p.mesh, p.plan.Wave)
	p.RequeueAfter(again)
	p.RequeueAfter(r.Restarter.RetryAfter(p.mesh, p.plan.Wave))
	return err
}

// isReady is true when a MeshRevision is ready in its present generation.
func isReady(revision *v1alpha1.MeshRevision) bool {
	return revision.Status.ObservedGeneration == revision.Generation && meta.IsStatusConditionTrue(revision.Status.Conditions, v1alpha1.ConditionReady)
}
