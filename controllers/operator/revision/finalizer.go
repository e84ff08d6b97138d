package revision

import (
	"context"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/apply"
)

// Finalizer keeps a MeshRevision until it owns no objects. Earlier versions of the operator made it their owner. Without the finalizer, deleting
// such a revision or the CRD would delete a running control plane and leave its webhooks behind.
const Finalizer = "operator.openservicemesh.io/revision"

// ensureFinalizer adds the finalizer before any object is created.
func (r *Reconciler) ensureFinalizer(ctx context.Context, revision *v1alpha1.MeshRevision) error {
	before := revision.DeepCopy()
	if !controllerutil.AddFinalizer(revision, Finalizer) {
		return nil
	}
	return r.patch(ctx, revision, before)
}

// releaseFinalizer removes owner references to a deleted revision, then its finalizer. The objects stay: the next active revision takes
// them over, or the teardown of the mesh deletes them.
func (r *Reconciler) releaseFinalizer(ctx context.Context, revision *v1alpha1.MeshRevision) error {
	if !controllerutil.ContainsFinalizer(revision, Finalizer) {
		return nil
	}
	err := apply.ReleaseLabelled(ctx, r.Client, revision.Spec.Mesh,
		&appsv1.DeploymentList{}, &autoscalingv2.HorizontalPodAutoscalerList{}, &policyv1.PodDisruptionBudgetList{}, &corev1.ServiceAccountList{},
		&rbacv1.RoleBindingList{}, &rbacv1.RoleList{}, &rbacv1.ClusterRoleBindingList{}, &rbacv1.ClusterRoleList{},
	)
	if err != nil {
		return fmt.Errorf("the objects of MeshRevision %s cannot be released: %w", revision.Name, err)
	}
	before := revision.DeepCopy()
	controllerutil.RemoveFinalizer(revision, Finalizer)
	return r.patch(ctx, revision, before)
}

// patch writes the changes of an object. It fails with a conflict when the object has changed since it was read.
func (r *Reconciler) patch(ctx context.Context, object, before client.Object) error {
	err := r.Client.Patch(ctx, object, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}), client.FieldOwner(apply.FieldManager))
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("%T %s cannot be patched: %w", object, object.GetName(), err)
	}
	return nil
}
