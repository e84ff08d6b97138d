package mesh

import (
	"context"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/names"
)

// SetupWithManager watches Meshes and everything that they consist of or depend on.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager) error {
	r.pace = newPace()
	b := ctrl.NewControllerManagedBy(mgr).
		Named("mesh").
		For(&v1alpha1.Mesh{}).
		Owns(&v1alpha1.MeshRevision{}).
		Owns(&corev1.Service{}).
		Owns(&corev1.ConfigMap{}).
		Watches(&admissionv1.MutatingWebhookConfiguration{}, byMeshLabel()).
		Watches(&admissionv1.ValidatingWebhookConfiguration{}, byMeshLabel()).
		Watches(&corev1.Namespace{}, handler.EnqueueRequestsFromMapFunc(r.ofNamespace)).
		Watches(&configv1alpha2.MeshConfig{}, handler.EnqueueRequestsFromMapFunc(r.ofNamespaced)).
		Watches(&apiextensionsv1.CustomResourceDefinition{}, handler.EnqueueRequestsFromMapFunc(r.all)).
		// A Mesh that goes may free a namespace that another one waits for.
		Watches(&v1alpha1.Mesh{}, handler.EnqueueRequestsFromMapFunc(r.all), builder.WithPredicates(onlyDeletes()))
	for _, secret := range r.Secrets.Sources(func(ctx context.Context, secret *corev1.Secret) []reconcile.Request {
		return r.ofNamespaced(ctx, secret)
	}) {
		b = b.WatchesRawSource(secret)
	}
	for _, sidecars := range r.DataPlane.Sources() {
		b = b.WatchesRawSource(sidecars)
	}
	return b.Complete(r)
}

// byMeshLabel maps an object to the mesh that its label names.
func byMeshLabel() handler.EventHandler {
	return handler.EnqueueRequestsFromMapFunc(func(_ context.Context, object client.Object) []reconcile.Request {
		return named(object.GetLabels()[names.MeshLabel])
	})
}

// ofNamespace maps a namespace to the mesh it is part of, and to those that live in it. When a label changes, it is called for the
// namespace before and after, so both meshes hear of it.
func (r *Reconciler) ofNamespace(ctx context.Context, object client.Object) []reconcile.Request {
	return append(named(object.GetLabels()[names.MonitoredByLabel]), r.livingIn(ctx, object.GetName())...)
}

// ofNamespaced maps an object to the meshes that live in its namespace.
func (r *Reconciler) ofNamespaced(ctx context.Context, object client.Object) []reconcile.Request {
	return r.livingIn(ctx, object.GetNamespace())
}

// livingIn lists the meshes whose control plane runs in a namespace.
func (r *Reconciler) livingIn(ctx context.Context, namespace string) []reconcile.Request {
	return r.filter(ctx, func(mesh *v1alpha1.Mesh) bool { return r.newScope(mesh).wanted.Namespace == namespace })
}

// all maps an object to every mesh.
func (r *Reconciler) all(ctx context.Context, _ client.Object) []reconcile.Request {
	return r.filter(ctx, func(*v1alpha1.Mesh) bool { return true })
}

// filter lists some meshes. A list that fails is no loss: the cache is only empty before its first sync, which reconciles all.
func (r *Reconciler) filter(ctx context.Context, choose func(*v1alpha1.Mesh) bool) []reconcile.Request {
	var meshes v1alpha1.MeshList
	if err := r.Client.List(ctx, &meshes); err != nil {
		return nil
	}
	var requests []reconcile.Request
	for i := range meshes.Items {
		if choose(&meshes.Items[i]) {
			requests = append(requests, named(meshes.Items[i].Name)...)
		}
	}
	return requests
}

// named is a request for a mesh; without a name there is none.
func named(mesh string) []reconcile.Request {
	if mesh == "" {
		return nil
	}
	return []reconcile.Request{{NamespacedName: client.ObjectKey{Name: mesh}}}
}

// onlyDeletes passes deletions.
func onlyDeletes() predicate.Predicate {
	return predicate.Funcs{
		CreateFunc:  func(event.CreateEvent) bool { return false },
		UpdateFunc:  func(event.UpdateEvent) bool { return false },
		GenericFunc: func(event.GenericEvent) bool { return false },
	}
}
