package ownership

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
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/certificate/certmanager"
	"github.com/openservicemesh/osm-operator/internal/operator/apply"
	"github.com/openservicemesh/osm-operator/internal/operator/enqueue"
	"github.com/openservicemesh/osm-operator/internal/operator/observe"
	"github.com/openservicemesh/osm-operator/internal/operator/secrets"
)

// Reconciler removes owner references from the objects of meshes, whatever the mode of the Mesh. All fields are required.
type Reconciler struct {
	*observe.Cluster
}

// SetupWithManager watches Meshes.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager) error {
	return enqueue.Complete(enqueue.NewController(mgr, "ownership", startsAndDeletions()), r.Client, r)
}

// startsAndDeletions passes each Mesh when the operator starts, and when the Mesh starts to be deleted.
func startsAndDeletions() predicate.Predicate {
	return predicate.Funcs{
		UpdateFunc: func(e event.UpdateEvent) bool {
			return e.ObjectOld.GetDeletionTimestamp() == nil && e.ObjectNew.GetDeletionTimestamp() != nil
		},
		DeleteFunc:  func(event.DeleteEvent) bool { return false },
		GenericFunc: func(event.GenericEvent) bool { return false },
	}
}

// Reconcile removes the owner references from all objects of one mesh. An object that cannot be patched does not keep others from it.
func (r *Reconciler) Reconcile(ctx context.Context, mesh *v1alpha1.Mesh) (reconcile.Result, error) {
	failed := []error{r.releaseSecrets(ctx, mesh), apply.ReleaseLabelled(ctx, r.Client, mesh.Name, cachedLists()...)}
	for _, key := range r.uncached(mesh) {
		failed = append(failed, r.releaseLive(ctx, key))
	}
	if err := errors.Join(failed...); err != nil {
		return reconcile.Result{}, fmt.Errorf("the mesh %s still owns objects, which foreground deletion would delete: %w", mesh.Name, err)
	}
	return reconcile.Result{}, nil
}

// cachedLists are the kinds whose labelled objects the operator has in its cache.
func cachedLists() []client.ObjectList {
	return []client.ObjectList{
		&v1alpha1.MeshRevisionList{}, &configv1alpha2.MeshConfigList{}, &corev1.ConfigMapList{}, &appsv1.DeploymentList{},
		&autoscalingv2.HorizontalPodAutoscalerList{}, &policyv1.PodDisruptionBudgetList{}, &corev1.ServiceList{}, &corev1.ServiceAccountList{},
		&rbacv1.RoleBindingList{}, &rbacv1.RoleList{}, &rbacv1.ClusterRoleBindingList{}, &rbacv1.ClusterRoleList{},
	}
}

// cachedKinds are the kinds of components among cachedLists.
var cachedKinds = []string{
	"ConfigMap", "Deployment", "HorizontalPodAutoscaler", "PodDisruptionBudget", "Service", "ServiceAccount", "RoleBinding", "Role",
	"ClusterRoleBinding", "ClusterRole",
}

// releaseSecrets releases the Secrets that were made for a mesh in its namespace.
func (r *Reconciler) releaseSecrets(ctx context.Context, mesh *v1alpha1.Mesh) error {
	var failed []error
	for _, name := range secrets.Names() {
		secret, err := r.Secrets.Get(ctx, r.Desired(mesh).Namespace, name)
		if err == nil && secret != nil {
			// The cache shares its objects.
			err = apply.ReleaseOwners(ctx, r.Client, secret.DeepCopy())
		}
		failed = append(failed, err)
	}
	return errors.Join(failed...)
}

// object identifies an object that is not cached.
type object struct {
	schema.GroupVersionKind
	client.ObjectKey
}

// uncached are the objects of a mesh that no cache of the operator holds: Certificates of cert-manager, the Secret of a gateway, and objects of
// components.
func (r *Reconciler) uncached(mesh *v1alpha1.Mesh) []object {
	var all []object
	for _, name := range secrets.Issued() {
		certificate := certmanager.Reference(r.Desired(mesh).Namespace, name)
		all = append(all, object{certificate.GroupVersionKind(), client.ObjectKeyFromObject(certificate)})
	}
	if c := mesh.Status.Certificates; c != nil && c.IngressGateway != nil {
		all = append(all, object{corev1.SchemeGroupVersion.WithKind("Secret"), client.ObjectKey{Namespace: c.IngressGateway.Namespace, Name: c.IngressGateway.Name}})
	}
	for _, component := range mesh.Status.Components {
		for _, o := range component.Objects {
			// Objects in the namespaces of the mesh have had no owners since they share a reference.
			if !slices.Contains(cachedKinds, o.Kind) && o.Namespace != v1alpha1.EveryNamespace {
				all = append(all, object{schema.FromAPIVersionAndKind(o.APIVersion, o.Kind), client.ObjectKey{Namespace: o.Namespace, Name: o.Name}})
			}
		}
	}
	return all
}

// releaseLive releases an object that is not cached, if it exists.
func (r *Reconciler) releaseLive(ctx context.Context, o object) error {
	metadata := &metav1.PartialObjectMetadata{}
	metadata.SetGroupVersionKind(o.GroupVersionKind)
	err := r.Live.Get(ctx, o.ObjectKey, metadata)
	if meta.IsNoMatchError(err) || err != nil && client.IgnoreNotFound(err) == nil {
		return nil
	}
	if err != nil {
		return fmt.Errorf("%s %s cannot be read: %w", o.Kind, o.ObjectKey, err)
	}
	return apply.ReleaseOwners(ctx, r.Client, metadata)
}
