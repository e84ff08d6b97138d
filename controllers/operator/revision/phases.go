package revision

import (
	"context"
	"errors"
	"fmt"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/apply"
	"github.com/openservicemesh/osm-operator/internal/operator/desired"
	"github.com/openservicemesh/osm-operator/internal/operator/observe"
	"github.com/openservicemesh/osm-operator/internal/operator/operand"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// deploy renders and applies the objects of a revision, and deletes a canary that its role does not include.
func (r *Reconciler) deploy(ctx context.Context, session *apply.Session, revision *v1alpha1.MeshRevision) error {
	objects, err := r.render(revision)
	if err != nil {
		return err
	}
	if err := r.setInitialReplicas(ctx, revision, objects); err != nil {
		return err
	}
	if err := applyAll(ctx, session, objects); err != nil {
		return err
	}
	return r.deleteCanary(ctx, revision)
}

// render renders the objects of every control plane that a revision runs.
func (r *Reconciler) render(revision *v1alpha1.MeshRevision) ([]*unstructured.Unstructured, error) {
	release, err := r.Catalogue.Release(revision.Spec.Version)
	if err != nil {
		return nil, err
	}
	var objects []*unstructured.Unstructured
	for _, suffix := range suffixes(revision) {
		p := desired.Parameters(revision, r.OperatorNamespace)
		p.CanarySuffix = suffix
		rendered, err := release.ControlPlane(p)
		if err != nil {
			return nil, err
		}
		objects = append(objects, rendered...)
	}
	return objects, nil
}

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

// applyAll applies the Deployments after all other objects, because they contain the UIDs of the ServiceAccounts.
func applyAll(ctx context.Context, session *apply.Session, objects []*unstructured.Unstructured) error {
	var deployments, others []*unstructured.Unstructured
	for _, object := range objects {
		if object.GetKind() == "Deployment" {
			deployments = append(deployments, object)
		} else {
			others = append(others, object)
		}
	}
	failed := session.ApplyAll(ctx, others)
	if err := setAccounts(deployments, others); err != nil {
		return errors.Join(failed, err)
	}
	return errors.Join(failed, session.ApplyAll(ctx, deployments))
}

// setAccounts writes the UIDs of ServiceAccounts into the pod templates that have the annotation for it. When an account was deleted and created
// again, the changed template replaces the pods: their tokens name the deleted account, and the API server rejects them.
func setAccounts(deployments, others []*unstructured.Unstructured) error {
	accounts := map[string]types.UID{}
	for _, object := range others {
		if object.GetKind() == "ServiceAccount" {
			accounts[object.GetName()] = object.GetUID()
		}
	}
	for _, deployment := range deployments {
		path := []string{"spec", "template", "metadata", "annotations", names.AccountAnnotation}
		if _, desired, _ := unstructured.NestedString(deployment.Object, path...); !desired {
			continue
		}
		account, _, err := unstructured.NestedString(deployment.Object, "spec", "template", "spec", "serviceAccountName")
		if err != nil {
			return err
		}
		if err := unstructured.SetNestedField(deployment.Object, string(accounts[account]), path...); err != nil {
			return err
		}
	}
	return nil
}

// suffixes are the name suffixes of the control planes that a revision runs: that of the canary, and the empty one of the active control
// plane. The status counts the pods of the first.
func suffixes(revision *v1alpha1.MeshRevision) []string {
	suffixes := observe.CanarySuffixes(revision)
	if len(suffixes) == 0 {
		return []string{""}
	}
	slices.Reverse(suffixes)
	return suffixes
}

// deleteCanary deletes the canary control plane of a revision whose role does not include it. It finds the objects by their names, which
// have the revision's suffix.
func (r *Reconciler) deleteCanary(ctx context.Context, revision *v1alpha1.MeshRevision) error {
	if observe.RunsCanary(revision.Spec.Role) {
		return nil
	}
	release, err := r.Catalogue.Release(revision.Spec.Version)
	if operand.IsUnknownVersion(err) {
		// The teardown of the mesh deletes the objects of a version that cannot be rendered.
		return nil
	}
	if err != nil {
		return err
	}
	p := desired.Parameters(revision, r.OperatorNamespace)
	p.CanarySuffix = names.CanarySuffix(revision.Spec.Mesh, revision.Name)
	if selected, err := r.isSelected(ctx, revision, p.CanarySuffix); err != nil || selected {
		return err
	}
	objects, err := release.ControlPlane(p)
	if err != nil {
		return err
	}
	for _, object := range objects {
		if err := r.deleteOwned(ctx, revision, object); err != nil {
			return err
		}
	}
	return nil
}

// isSelected reports whether the Service of a canary still selects the canary. Its sidecars lose their control plane if the canary is
// deleted before the Service selects the active one. A change of the Service reconciles the revision again.
func (r *Reconciler) isSelected(ctx context.Context, revision *v1alpha1.MeshRevision, suffix string) (bool, error) {
	name := names.WithSuffix(names.Controller, suffix)
	service := &corev1.Service{}
	err := r.Client.Get(ctx, client.ObjectKey{Namespace: revision.Spec.Namespace, Name: name}, service)
	if client.IgnoreNotFound(err) != nil {
		return false, fmt.Errorf("the Service %s cannot be read: %w", name, err)
	}
	return err == nil && service.Spec.Selector[names.AppLabel] == name, nil
}

// deleteOwned deletes the live object of a rendered one if it was made for the mesh of the revision.
func (r *Reconciler) deleteOwned(ctx context.Context, revision *v1alpha1.MeshRevision, rendered *unstructured.Unstructured) error {
	typed, err := r.Client.Scheme().New(rendered.GroupVersionKind())
	if err != nil {
		return fmt.Errorf("the kind %s is unknown: %w", rendered.GetKind(), err)
	}
	live, ok := typed.(client.Object)
	if !ok {
		return fmt.Errorf("the kind %s has no metadata", rendered.GetKind())
	}
	if err := r.Client.Get(ctx, client.ObjectKeyFromObject(rendered), live); err != nil {
		return client.IgnoreNotFound(err)
	}
	if live.GetDeletionTimestamp() != nil || live.GetLabels()[names.MeshLabel] != revision.Spec.Mesh {
		return nil
	}
	uid := live.GetUID()
	err = r.Client.Delete(ctx, live, client.PropagationPolicy(metav1.DeletePropagationBackground), client.Preconditions{UID: &uid})
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("%s %s of the canary cannot be deleted: %w", rendered.GetKind(), rendered.GetName(), err)
	}
	return nil
}
