package revision

import (
	"context"
	"fmt"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/controllers/operator/apply"
	"github.com/openservicemesh/osm-operator/internal/names"
)

// Finalizer keeps a MeshRevision until it owns no objects. Without it, deleting a revision or the CRD would delete a running control
// plane and leave its webhooks behind.
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
	for _, list := range []client.ObjectList{
		&appsv1.DeploymentList{}, &autoscalingv2.HorizontalPodAutoscalerList{}, &policyv1.PodDisruptionBudgetList{}, &corev1.ServiceAccountList{},
		&rbacv1.RoleBindingList{}, &rbacv1.RoleList{}, &rbacv1.ClusterRoleBindingList{}, &rbacv1.ClusterRoleList{},
	} {
		if err := r.Client.List(ctx, list, client.MatchingLabels{names.MeshLabel: revision.Spec.Mesh}); err != nil {
			return fmt.Errorf("the objects of MeshRevision %s cannot be listed: %w", revision.Name, err)
		}
		items, err := meta.ExtractList(list)
		if err != nil {
			return err
		}
		for _, item := range items {
			if object, ok := item.(client.Object); ok {
				if err := r.orphan(ctx, object, revision); err != nil {
					return err
				}
			}
		}
	}
	before := revision.DeepCopy()
	controllerutil.RemoveFinalizer(revision, Finalizer)
	return r.patch(ctx, revision, before)
}

// orphan removes a revision from the owners of an object.
func (r *Reconciler) orphan(ctx context.Context, object client.Object, revision *v1alpha1.MeshRevision) error {
	mine := func(o metav1.OwnerReference) bool { return o.UID == revision.UID }
	if !slices.ContainsFunc(object.GetOwnerReferences(), mine) {
		return nil
	}
	before, ok := object.DeepCopyObject().(client.Object)
	if !ok {
		return fmt.Errorf("%T is not an API object", object)
	}
	object.SetOwnerReferences(slices.DeleteFunc(slices.Clone(object.GetOwnerReferences()), mine))
	return r.patch(ctx, object, before)
}

// patch writes the changes of an object. It fails with a conflict when the object has changed since it was read.
func (r *Reconciler) patch(ctx context.Context, object, before client.Object) error {
	err := r.Client.Patch(ctx, object, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}), client.FieldOwner(apply.FieldManager))
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("%T %s cannot be patched: %w", object, object.GetName(), err)
	}
	return nil
}
