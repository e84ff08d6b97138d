package revision

import (
	"context"
	"errors"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/apply"
	"github.com/openservicemesh/osm-operator/internal/operator/enqueue"
	"github.com/openservicemesh/osm-operator/internal/operator/observe"
	"github.com/openservicemesh/osm-operator/internal/operator/operand"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// Reconciler reconciles MeshRevisions. All fields are required.
type Reconciler struct {
	*observe.Cluster
	// Applier applies the rendered objects.
	Applier *apply.Applier
}

// pollInterval is how often a revision that is not ready is reconciled. The end of a pod's grace period on a lost node sends no event.
const pollInterval = 5 * time.Second

// SetupWithManager watches revisions, the objects that they deploy, their Meshes, and the pods of control planes.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager) error {
	options := enqueue.Options()
	options.MaxConcurrentReconciles = 1
	labelled := handler.EnqueueRequestsFromMapFunc(r.revisionsOf(func(o client.Object) string { return o.GetLabels()[names.MeshLabel] }))
	b := ctrl.NewControllerManagedBy(mgr).Named("meshrevision").WithOptions(options).For(&v1alpha1.MeshRevision{}).
		Watches(&v1alpha1.Mesh{}, handler.EnqueueRequestsFromMapFunc(r.revisionsOf(client.Object.GetName)))
	enqueue.Watch(b, labelled, &appsv1.Deployment{}, &corev1.ServiceAccount{}, &rbacv1.ClusterRole{}, &rbacv1.ClusterRoleBinding{}, &rbacv1.Role{},
		&rbacv1.RoleBinding{}, &corev1.Pod{}, &corev1.Service{})
	return b.Complete(reconcile.AsReconciler(r.Client, r))
}

// revisionsOf maps an object to all revisions of its mesh.
func (r *Reconciler) revisionsOf(mesh func(client.Object) string) handler.MapFunc {
	return func(ctx context.Context, object client.Object) []reconcile.Request {
		var revisions v1alpha1.MeshRevisionList
		if err := r.Client.List(ctx, &revisions); err != nil {
			return nil
		}
		var requests []reconcile.Request
		for i := range revisions.Items {
			if revisions.Items[i].Spec.Mesh == mesh(object) {
				requests = append(requests, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&revisions.Items[i])})
			}
		}
		return requests
	}
}

// Reconcile deploys one revision and writes its status.
func (r *Reconciler) Reconcile(ctx context.Context, revision *v1alpha1.MeshRevision) (reconcile.Result, error) {
	mesh, err := r.mesh(ctx, revision)
	switch {
	case err != nil:
		return reconcile.Result{}, err
	case revision.DeletionTimestamp == nil && mesh != nil && (observe.IsPlanOnly(mesh) || observe.IsPaused(mesh)) && observe.RunsActive(revision.Spec.Role):
		return r.observeDeployed(ctx, revision)
	case mesh != nil && observe.IsPlanOnly(mesh):
		return reconcile.Result{}, nil
	case revision.DeletionTimestamp != nil:
		return reconcile.Result{}, r.releaseFinalizer(ctx, revision)
	case revision.Spec.Role == v1alpha1.RoleStandby:
		return reconcile.Result{}, r.reconcileStandby(ctx, revision, mesh != nil && observe.IsPaused(mesh))
	case mesh == nil || observe.IsPaused(mesh) || !r.isDesired(revision, mesh):
		return reconcile.Result{}, nil
	}
	if err := r.ensureFinalizer(ctx, revision); err != nil {
		return reconcile.Result{}, err
	}
	return r.reconcileDeployed(ctx, revision)
}

// reconcileDeployed applies the objects of a revision, and writes the status even when that failed.
func (r *Reconciler) reconcileDeployed(ctx context.Context, revision *v1alpha1.MeshRevision) (reconcile.Result, error) {
	session := r.Applier.For(revision)
	applied := r.deploy(ctx, session, revision)
	return r.observe(ctx, revision, applied, session.IgnoredObjects())
}

// observe writes the status of a revision. applied and ignored are those of computeStatus.
func (r *Reconciler) observe(ctx context.Context, revision *v1alpha1.MeshRevision, applied error, ignored string) (reconcile.Result, error) {
	status, err := r.computeStatus(ctx, revision, applied, ignored)
	if err == nil {
		err = r.writeStatus(ctx, revision, status)
	}
	switch {
	case err == nil && operand.IsUnknownVersion(applied):
		// Only another operator knows more versions, and it reconciles every revision when it starts.
		return reconcile.Result{}, reconcile.TerminalError(applied)
	case applied != nil || err != nil:
		return reconcile.Result{}, errors.Join(applied, err)
	case !meta.IsStatusConditionTrue(status.Conditions, v1alpha1.ConditionReady):
		return reconcile.Result{RequeueAfter: pollInterval}, nil
	}
	return reconcile.Result{}, nil
}

// observeDeployed writes the status of a revision whose objects are not to be changed. A revision that was not applied as it is keeps its status,
// which says why.
func (r *Reconciler) observeDeployed(ctx context.Context, revision *v1alpha1.MeshRevision) (reconcile.Result, error) {
	ready := meta.FindStatusCondition(revision.Status.Conditions, v1alpha1.ConditionReady)
	isApplied := ready != nil && ready.ObservedGeneration == revision.Generation && revision.Status.Role == revision.Spec.Role &&
		ready.Reason != v1alpha1.ReasonApplyFailed && ready.Reason != v1alpha1.ReasonUnknownVersion
	if !isApplied {
		return reconcile.Result{}, nil
	}
	return r.observe(ctx, revision, nil, "")
}

// reconcileStandby deletes what the revision ran as a canary, unless the mesh is paused, and writes the status. Its other objects belong
// to the active revision.
func (r *Reconciler) reconcileStandby(ctx context.Context, revision *v1alpha1.MeshRevision, paused bool) error {
	if !paused {
		if err := r.deleteCanary(ctx, revision); err != nil {
			return err
		}
	}
	return r.writeStatus(ctx, revision, r.standbyStatus(revision))
}

// mesh reads the Mesh of a revision, or returns nil when it does not exist.
func (r *Reconciler) mesh(ctx context.Context, revision *v1alpha1.MeshRevision) (*v1alpha1.Mesh, error) {
	mesh := &v1alpha1.Mesh{}
	err := r.Client.Get(ctx, client.ObjectKey{Name: revision.Spec.Mesh}, mesh)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	return mesh, err
}

// isDesired reports whether a revision runs anything: it has a role, or no role yet and the desired version.
func (r *Reconciler) isDesired(revision *v1alpha1.MeshRevision, mesh *v1alpha1.Mesh) bool {
	return revision.Spec.Role != "" || r.Desired(mesh).Version == revision.Spec.Version
}
