package mesh

import (
	"context"
	"errors"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/controllers/operator/apply"
	"github.com/openservicemesh/osm-operator/controllers/operator/metrics"
	"github.com/openservicemesh/osm-operator/internal/contract"
	"github.com/openservicemesh/osm-operator/internal/operand"
)

// Finalizer keeps a Mesh until what it consists of is removed in order.
const Finalizer = "operator.openservicemesh.io/mesh"

// Reconciler brings Meshes to their declared state. All fields are required.
type Reconciler struct {
	// Client reads from the manager's cache.
	Client client.Client
	// Live reads from the API server, for what is not worth a watch.
	Live client.Reader
	// Secrets reads the Secrets of control planes.
	Secrets Secrets
	// Applier writes what is rendered.
	Applier *apply.Applier
	// Recorder writes Events about a Mesh.
	Recorder events.EventRecorder
	// DataPlane observes what carries sidecars, and restarts it.
	DataPlane DataPlane
	// Vitals observes control planes.
	Vitals Vitals
	// Prometheus tells which requests fail, for Meshes that name one.
	Prometheus Prometheus
	// Catalogue holds the versions that can be installed.
	Catalogue *operand.Catalogue
	// Definitions are those of the Service Mesh Interface, see ReadDefinitions.
	Definitions []*unstructured.Unstructured
	// Contract says between which versions a mesh may go.
	Contract contract.Table
	// OperatorNamespace is where the operator runs.
	OperatorNamespace string
	// Kubernetes is the version of the API server, such as v1.36.3.
	Kubernetes string
	// Metrics counts what happens; nil counts nothing.
	Metrics *metrics.Recorder
	// Now is the clock.
	Now func() time.Time

	// pace keeps plans apart; SetupWithManager makes it.
	pace *pace
}

// Reconcile brings one Mesh to its state, or removes it, and writes its status once.
func (r *Reconciler) Reconcile(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	mesh := &v1alpha1.Mesh{}
	if err := r.Client.Get(ctx, request.NamespacedName, mesh); err != nil {
		if apierrors.IsNotFound(err) {
			r.Metrics.Forget(request.Name)
		}
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	s := r.newScope(mesh)
	if planning(mesh) {
		return either(r.plan(ctx, s))
	}
	if ptr.Deref(mesh.Spec.Paused, false) {
		return reconcile.Result{}, r.rest(ctx, s)
	}
	if mesh.DeletionTimestamp != nil {
		return r.remove(ctx, s)
	}
	return either(r.advance(ctx, s))
}

// either keeps the time of the next look from those that fail: they are tried again when the queue says so, and are warned of having both.
func either(result reconcile.Result, err error) (reconcile.Result, error) {
	if err != nil {
		return reconcile.Result{}, err
	}
	return result, nil
}

// advance goes one step towards what is declared. A plan rehearses it.
func (r *Reconciler) advance(ctx context.Context, s *scope) (reconcile.Result, error) {
	if err := r.hold(ctx, s.mesh.DeepCopy()); err != nil {
		return stale(err)
	}
	s.mesh.Status.Plan = nil
	err := r.run(ctx, s)
	r.Metrics.Judged(s.mesh.Name, s.situation.Verdicts)
	if seen := r.observe(ctx, s); err == nil {
		err = seen
	}
	r.conclude(s, err)
	written := r.writeStatus(ctx, s)
	if isStalled(err) {
		// Trying again cannot help: the next change of the Mesh, or of what it collides with, comes as an event.
		err = nil
	}
	return reconcile.Result{RequeueAfter: s.requeue}, errors.Join(err, written)
}

// hold adds the finalizer before anything is made that must be removed.
func (r *Reconciler) hold(ctx context.Context, mesh *v1alpha1.Mesh) error {
	before := mesh.DeepCopy()
	if !controllerutil.AddFinalizer(mesh, Finalizer) {
		return nil
	}
	return r.Client.Patch(ctx, mesh, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}), client.FieldOwner(apply.FieldManager))
}

// stale asks for another try, without the noise of an error, when the cache was only behind the API server.
func stale(err error) (reconcile.Result, error) {
	if apierrors.IsConflict(err) {
		return reconcile.Result{RequeueAfter: retryStale}, nil
	}
	return reconcile.Result{}, err
}

// retryStale is longer than an event takes to arrive.
const retryStale = 200 * time.Millisecond

// phase is one step of the script.
type phase struct {
	// part is the condition that a failure belongs to.
	part string
	// reason is the reason of a failure.
	reason string
	run    func(context.Context, *scope) error
}

// script lists the phases in their order.
func (r *Reconciler) script() []phase {
	installed := func(run func(context.Context, *scope) error) phase {
		return phase{v1alpha1.ConditionInstalled, v1alpha1.ReasonApplyFailed, run}
	}
	certificates := func(run func(context.Context, *scope) error) phase {
		return phase{v1alpha1.ConditionCertificatesReady, v1alpha1.ReasonCertificatesFailed, run}
	}
	return []phase{
		installed(r.validate),
		installed(r.namespace),
		installed(r.definitions),
		certificates(r.authority),
		installed(r.steer),
		installed(r.meshConfig),
		installed(r.trust),
		certificates(r.servingCertificates),
		installed(r.withdraw),
		certificates(r.canaryCertificate),
		installed(r.services),
		installed(r.revision),
		installed(r.webhooks),
		installed(r.dropCanary),
		installed(r.restart),
		installed(r.remark),
		installed(r.retire),
	}
}

// run runs the script up to the first failure.
func (r *Reconciler) run(ctx context.Context, s *scope) error {
	r.Applier.Begin(s.mesh)
	for _, step := range r.script() {
		if err := step.run(ctx, s); err != nil {
			return &failure{phase: step, cause: err}
		}
	}
	return nil
}
