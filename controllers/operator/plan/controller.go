package plan

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/conditions"
	"github.com/openservicemesh/osm-operator/internal/operator/dryrun"
	"github.com/openservicemesh/osm-operator/internal/operator/enqueue"
	"github.com/openservicemesh/osm-operator/internal/operator/observe"
	"github.com/openservicemesh/osm-operator/internal/operator/status"
)

// repeatInterval is how often a plan is computed without an event: budgets, policies and pods without sidecars send none.
const repeatInterval = time.Minute

// DataPlane observes the workloads with sidecars.
type DataPlane interface {
	dryrun.Workloads
	// Sources are watches of them, as requests for a mesh.
	Sources() []source.Source
}

// Reconciler plans Meshes. All fields are required.
type Reconciler struct {
	*observe.Cluster
	// Status writes the status of a Mesh.
	Status status.Writer
	// DataPlane observes the workloads with sidecars.
	DataPlane DataPlane
	// Controllers builds the controllers that a simulation runs, in the order of a round.
	Controllers func(Simulation) []dryrun.Controller
	// limiter keeps plans apart; SetupWithManager makes it.
	limiter *limiter
}

// SetupWithManager watches Meshes and what a plan depends on.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager) error {
	r.limiter = newLimiter()
	mapper := enqueue.Mapper{Cluster: r.Cluster}
	b := enqueue.NewController(mgr, "plan", enqueue.MeshChanges()).
		Watches(&corev1.Namespace{}, mapper.ByNamespace()).
		Watches(&configv1alpha2.MeshConfig{}, mapper.BySiblings()).
		Watches(&apiextensionsv1.CustomResourceDefinition{}, mapper.All()).
		Watches(&v1alpha1.Mesh{}, mapper.All(), builder.WithPredicates(enqueue.OnlyDeletes()))
	enqueue.Watch(b, enqueue.ByMeshLabel(), &v1alpha1.MeshRevision{}, &corev1.Service{}, &corev1.ConfigMap{},
		&admissionv1.MutatingWebhookConfiguration{}, &admissionv1.ValidatingWebhookConfiguration{})
	return enqueue.Complete(b, r.Client, r, slices.Concat(r.Secrets.Sources(mapper.BySecret), r.DataPlane.Sources())...)
}

// Reconcile writes the plan of one Mesh, or removes it from a Mesh that is applied.
func (r *Reconciler) Reconcile(ctx context.Context, mesh *v1alpha1.Mesh) (reconcile.Result, error) {
	desired := mesh.Status.DeepCopy()
	if !observe.IsPlanOnly(mesh) {
		desired.Plan = nil
		conditions.NewEditor(&desired.Conditions, mesh.Generation, r.Now()).SetOrRemove(false, v1alpha1.ConditionPlanned, "", "")
		_, err := r.Status.Write(ctx, status.Plan, mesh, desired)
		return reconcile.Result{}, err
	}
	if wait := r.limiter.wait(mesh, r.Now()); wait > 0 {
		return reconcile.Result{RequeueAfter: wait}, nil
	}
	planned := conditions.Assessment{
		State: conditions.Failing, Reason: v1alpha1.ReasonDeleting,
		Message: "the Mesh is being deleted, and spec.mode Plan keeps the operator from removing anything: set it to Apply to go on",
	}
	var failed error
	if mesh.DeletionTimestamp != nil {
		desired.Plan = nil
	} else if planned, failed = r.computePlan(ctx, mesh, desired); failed != nil {
		planned = conditions.Assessment{
			State: conditions.Failing, Reason: v1alpha1.ReasonPlanFailed,
			Message: "the plan cannot be made, which is tried again: " + failed.Error(),
		}
	}
	conditions.NewEditor(&desired.Conditions, mesh.Generation, r.Now()).Set(v1alpha1.ConditionPlanned, planned)
	_, err := r.Status.Write(ctx, status.Plan, mesh, desired)
	if err := errors.Join(failed, err); err != nil {
		return reconcile.Result{}, err
	}
	return reconcile.Result{RequeueAfter: repeatInterval}, nil
}

// computePlan simulates what Apply would do, and writes the plan into a status.
func (r *Reconciler) computePlan(ctx context.Context, mesh *v1alpha1.Mesh, desired *v1alpha1.MeshStatus) (conditions.Assessment, error) {
	revisions, err := r.Revisions(ctx, mesh.Name)
	if err != nil {
		return conditions.Assessment{}, err
	}
	active := observe.ActiveRevision(revisions)
	result, err := r.simulate(ctx, mesh)
	if err != nil {
		return conditions.Assessment{}, err
	}
	next := planOf(result, active)
	if err := r.planProxies(ctx, mesh, active, result, next); err != nil {
		return conditions.Assessment{}, err
	}
	finish(next, mesh, r.Now())
	desired.Plan = next
	if result.problem.Message != "" {
		return conditions.Assessment{State: conditions.Failing, Reason: result.problem.Reason, Message: result.problem.Message}, nil
	}
	return conditions.Assessment{State: conditions.Ready, Reason: v1alpha1.ReasonPlanned, Message: next.Summary}, nil
}

// finish completes a plan. A plan that equals the one before keeps its time.
func finish(next *v1alpha1.PlanStatus, mesh *v1alpha1.Mesh, now time.Time) {
	next.Summary = summaryOf(next)
	next.Hash = hashOf(next)
	next.Generation, next.Time = mesh.Generation, metav1.NewTime(now.Truncate(time.Second))
	if before := mesh.Status.Plan; before != nil && before.Hash == next.Hash {
		next.Time = before.Time
	}
}

// minInterval is the least time between two plans of the same spec. A plan takes about a second to compute, and in a large mesh sidecars
// come and go all the time.
const minInterval = 5 * time.Second

// limiter keeps plans apart. A nil limiter does not.
type limiter struct {
	mu   sync.Mutex
	last map[types.UID]lastPlan
}

// lastPlan is when a plan was computed, and of which generation.
type lastPlan struct {
	generation int64
	at         time.Time
}

func newLimiter() *limiter { return &limiter{last: map[types.UID]lastPlan{}} }

// wait returns how long the next plan of a mesh must wait. With 0 the plan begins now.
func (l *limiter) wait(mesh *v1alpha1.Mesh, now time.Time) time.Duration {
	if l == nil {
		return 0
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	last, made := l.last[mesh.UID]
	if rest := last.at.Add(minInterval).Sub(now); made && last.generation == mesh.Generation && mesh.DeletionTimestamp == nil && rest > 0 {
		return rest
	}
	l.last[mesh.UID] = lastPlan{mesh.Generation, now}
	return 0
}
