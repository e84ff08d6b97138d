package revision

import (
	"context"
	"errors"
	"fmt"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/controllers/operator/apply"
	"github.com/openservicemesh/osm-operator/controllers/operator/condition"
	"github.com/openservicemesh/osm-operator/controllers/operator/desired"
	"github.com/openservicemesh/osm-operator/internal/names"
	"github.com/openservicemesh/osm-operator/internal/operand"
)

// Reconciler deploys MeshRevisions. All fields are required.
type Reconciler struct {
	// Client reads from the manager's cache.
	Client client.Client
	// Applier writes what is rendered.
	Applier *apply.Applier
	// Catalogue holds the versions that can be deployed.
	Catalogue *operand.Catalogue
	// OperatorNamespace is where the operator runs.
	OperatorNamespace string
	// Now is the clock.
	Now func() time.Time
}

// SetupWithManager watches revisions, what they own, and the pods that tell why a Deployment is not ready.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager) error {
	return ctrl.NewControllerManagedBy(mgr).
		Named("meshrevision").
		For(&v1alpha1.MeshRevision{}).
		Owns(&appsv1.Deployment{}).
		Owns(&corev1.ServiceAccount{}).
		Owns(&rbacv1.ClusterRole{}).
		Owns(&rbacv1.ClusterRoleBinding{}).
		Owns(&rbacv1.Role{}).
		Owns(&rbacv1.RoleBinding{}).
		Owns(&policyv1.PodDisruptionBudget{}).
		Owns(&autoscalingv2.HorizontalPodAutoscaler{}).
		Watches(&corev1.Pod{}, handler.EnqueueRequestsFromMapFunc(r.ofMesh(func(o client.Object) string { return o.GetLabels()[names.MeshLabel] }))).
		Watches(&v1alpha1.Mesh{}, handler.EnqueueRequestsFromMapFunc(r.ofMesh(client.Object.GetName))).
		Complete(r)
}

// ofMesh maps an object to all revisions of the mesh that it belongs to.
func (r *Reconciler) ofMesh(mesh func(client.Object) string) handler.MapFunc {
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

// Reconcile brings one revision to its state, then writes its status once.
func (r *Reconciler) Reconcile(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	revision := &v1alpha1.MeshRevision{}
	if err := r.Client.Get(ctx, request.NamespacedName, revision); err != nil {
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	planned, err := r.planned(ctx, revision)
	if err != nil || planned {
		return reconcile.Result{}, err
	}
	if revision.DeletionTimestamp != nil {
		return reconcile.Result{}, r.letGo(ctx, revision)
	}
	acts, err := r.acts(ctx, revision)
	if err != nil {
		return reconcile.Result{}, err
	}
	if !acts {
		return reconcile.Result{}, r.stand(ctx, revision)
	}
	if err := r.hold(ctx, revision); err != nil {
		return reconcile.Result{}, err
	}
	applied := r.deploy(ctx, revision)
	status, err := r.observe(ctx, revision, applied)
	if err != nil {
		return reconcile.Result{}, errors.Join(applied, err)
	}
	var result reconcile.Result
	if !meta.IsStatusConditionTrue(status.Conditions, v1alpha1.ConditionReady) {
		result.RequeueAfter = glance
	}
	if err := errors.Join(applied, r.writeStatus(ctx, revision, status)); err != nil {
		return reconcile.Result{}, err
	}
	return result, nil
}

// glance is how often a revision that is not ready is looked at: that the time of a pod on a lost node is over sends no event.
const glance = 5 * time.Second

// stand notes that a revision runs nothing. What it ran is taken over by another.
func (r *Reconciler) stand(ctx context.Context, revision *v1alpha1.MeshRevision) error {
	if revision.Spec.Role != v1alpha1.RoleStandby {
		return nil
	}
	paused, err := r.paused(ctx, revision)
	if err != nil {
		return err
	}
	if !paused {
		if err := r.clear(ctx, revision); err != nil {
			return err
		}
	}
	status := *revision.Status.DeepCopy()
	status.ObservedGeneration = revision.Generation
	status.Controller, status.Injector = v1alpha1.WorkloadStatus{}, v1alpha1.WorkloadStatus{}
	r.noteRole(revision, &status)
	condition.Of(&status.Conditions, revision.Generation, r.Now()).Summarise(condition.Verdict{
		State: condition.Ready, Reason: v1alpha1.ReasonStandby, Message: "stands by: another revision runs the mesh",
	})
	return r.writeStatus(ctx, revision, status)
}

// noteRole notes since when the revision has its role.
func (r *Reconciler) noteRole(revision *v1alpha1.MeshRevision, status *v1alpha1.MeshRevisionStatus) {
	if status.Role == revision.Spec.Role && status.RoleSince != nil {
		return
	}
	status.RanBeside = status.RanBeside || runsBeside(revision.Spec.Role)
	now := metav1.NewTime(r.Now().Truncate(time.Second))
	status.Role, status.RoleSince = revision.Spec.Role, &now
}

// acts says whether a revision runs anything now: by its role, or for one without any, when it is the one that its Mesh wants. While
// the Mesh is paused none does.
func (r *Reconciler) acts(ctx context.Context, revision *v1alpha1.MeshRevision) (bool, error) {
	if revision.DeletionTimestamp != nil || revision.Spec.Role == v1alpha1.RoleStandby {
		return false, nil
	}
	mesh := &v1alpha1.Mesh{}
	if err := r.Client.Get(ctx, client.ObjectKey{Name: revision.Spec.Mesh}, mesh); err != nil {
		return false, client.IgnoreNotFound(err)
	}
	if ptr.Deref(mesh.Spec.Paused, false) {
		return false, nil
	}
	return revision.Spec.Role != "" || desired.Of(mesh, r.Catalogue.Current()).Version == revision.Spec.Version, nil
}

// planned says whether the Mesh of a revision is only planned: then not even a status is written.
func (r *Reconciler) planned(ctx context.Context, revision *v1alpha1.MeshRevision) (bool, error) {
	mesh := &v1alpha1.Mesh{}
	if err := r.Client.Get(ctx, client.ObjectKey{Name: revision.Spec.Mesh}, mesh); err != nil {
		return false, client.IgnoreNotFound(err)
	}
	return ptr.Deref(mesh.Spec.Mode, v1alpha1.ModeApply) == v1alpha1.ModePlan, nil
}

// paused says whether the Mesh of a revision is paused: then nothing is changed.
func (r *Reconciler) paused(ctx context.Context, revision *v1alpha1.MeshRevision) (bool, error) {
	mesh := &v1alpha1.Mesh{}
	if err := r.Client.Get(ctx, client.ObjectKey{Name: revision.Spec.Mesh}, mesh); err != nil {
		return false, client.IgnoreNotFound(err)
	}
	return ptr.Deref(mesh.Spec.Paused, false), nil
}

// deploy applies everything the revision consists of, and removes what it no longer consists of.
func (r *Reconciler) deploy(ctx context.Context, revision *v1alpha1.MeshRevision) error {
	r.Applier.Begin(revision)
	objects, err := r.render(revision)
	if err != nil {
		return err
	}
	if err := apply.Own(revision, r.Client.Scheme(), objects...); err != nil {
		return err
	}
	if err := r.begin(ctx, revision, objects); err != nil {
		return err
	}
	if _, err := r.Applier.All(ctx, revision, objects); err != nil {
		return err
	}
	if err := r.prune(ctx, revision, objects); err != nil {
		return err
	}
	return r.clear(ctx, revision)
}

// writeStatus patches the status if it changed.
func (r *Reconciler) writeStatus(ctx context.Context, revision *v1alpha1.MeshRevision, status v1alpha1.MeshRevisionStatus) error {
	if equality.Semantic.DeepEqual(revision.Status, status) {
		return nil
	}
	before := revision.DeepCopy()
	revision.Status = status
	if err := r.Client.Status().Patch(ctx, revision, client.MergeFrom(before), client.FieldOwner(apply.FieldManager)); err != nil {
		return fmt.Errorf("the status of MeshRevision %s cannot be written: %w", revision.Name, client.IgnoreNotFound(err))
	}
	return nil
}

// observe computes the status from the live Deployments and pods, and from the error of deploying, if any.
func (r *Reconciler) observe(ctx context.Context, revision *v1alpha1.MeshRevision, applied error) (v1alpha1.MeshRevisionStatus, error) {
	status := *revision.Status.DeepCopy()
	var workloads []workload
	for _, suffix := range suffixes(revision) {
		for _, name := range []string{names.Controller, names.Injector} {
			observed, err := r.workload(ctx, revision, names.Beside(name, suffix))
			if err != nil {
				return status, err
			}
			workloads = append(workloads, observed)
		}
	}
	status.ObservedGeneration = revision.Generation
	status.Controller, status.Injector = workloads[0].count(), workloads[1].count()
	r.noteRole(revision, &status)
	condition.Of(&status.Conditions, revision.Generation, r.Now()).Summarise(judge(applied, workloads, r.Applier.LeftAlone(revision)))
	return status, nil
}
