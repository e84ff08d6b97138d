package enqueue

import (
	"context"
	"maps"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/observe"
	"github.com/openservicemesh/osm-operator/internal/platform/backoff"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

const (
	// concurrency is how many Meshes a controller reconciles at the same time. The queue never hands out one Mesh twice.
	concurrency = 4
	// timeout ends a reconciliation that hangs, so that it is retried.
	timeout = 2 * time.Minute
)

// Options are those of every controller of Meshes.
func Options() controller.Options {
	options := backoff.Options(concurrency)
	options.ReconciliationTimeout = timeout
	return options
}

// NewController begins a controller of Meshes, which reconciles those that a predicate passes.
func NewController(mgr ctrl.Manager, name string, passes ...predicate.Predicate) *ctrl.Builder {
	return ctrl.NewControllerManagedBy(mgr).Named(name).WithOptions(Options()).For(&v1alpha1.Mesh{}, builder.WithPredicates(passes...))
}

// Watch adds watches of kinds whose objects are mapped alike.
func Watch(b *ctrl.Builder, by handler.EventHandler, kinds ...client.Object) {
	for _, kind := range kinds {
		b.Watches(kind, by)
	}
}

// Complete adds some sources and the reconciler to a controller of Meshes.
func Complete(b *ctrl.Builder, c client.Client, r reconcile.ObjectReconciler[*v1alpha1.Mesh], sources ...source.Source) error {
	for _, source := range sources {
		b.WatchesRawSource(source)
	}
	return b.Complete(RetryConflicts(reconcile.AsReconciler(c, r)))
}

// Queue has the requests of a controller.
type Queue = workqueue.TypedRateLimitingInterface[reconcile.Request]

// Changes handles creations, changes and deletions of objects alike.
func Changes[T client.Object](add func(ctx context.Context, object T, queue Queue)) handler.TypedEventHandler[T, reconcile.Request] {
	return handler.TypedFuncs[T, reconcile.Request]{
		CreateFunc: func(ctx context.Context, e event.TypedCreateEvent[T], queue Queue) { add(ctx, e.Object, queue) },
		UpdateFunc: func(ctx context.Context, e event.TypedUpdateEvent[T], queue Queue) { add(ctx, e.ObjectNew, queue) },
		DeleteFunc: func(ctx context.Context, e event.TypedDeleteEvent[T], queue Queue) { add(ctx, e.Object, queue) },
	}
}

// Mapper maps objects to the Meshes that they concern.
type Mapper struct {
	Cluster *observe.Cluster
}

// ByMeshLabel maps an object to the mesh that its label names.
func ByMeshLabel() handler.EventHandler { return ByLabel[client.Object](names.MeshLabel) }

// ByLabel maps an object to the mesh that a label names. After a change of the label both meshes are reconciled.
func ByLabel[T client.Object](label string) handler.TypedEventHandler[T, reconcile.Request] {
	return handler.TypedEnqueueRequestsFromMapFunc(func(_ context.Context, object T) []reconcile.Request {
		return named(object.GetLabels()[label])
	})
}

// ByName maps an object to the mesh that a function names. After a change both the mesh before and the mesh after are reconciled.
func ByName(meshOf func(client.Object) string) handler.EventHandler {
	return handler.EnqueueRequestsFromMapFunc(func(_ context.Context, object client.Object) []reconcile.Request { return named(meshOf(object)) })
}

// ByNamespace maps a namespace to the mesh that it is part of, and to the meshes that run in it. After a change of its label both the
// mesh before and the mesh after are reconciled.
func (m Mapper) ByNamespace() handler.EventHandler {
	return handler.EnqueueRequestsFromMapFunc(func(ctx context.Context, object client.Object) []reconcile.Request {
		return append(named(object.GetLabels()[names.MonitoredByLabel]), m.runningIn(ctx, object.GetName())...)
	})
}

// BySiblings maps an object to the meshes that run in its namespace.
func (m Mapper) BySiblings() handler.EventHandler {
	return handler.EnqueueRequestsFromMapFunc(func(ctx context.Context, object client.Object) []reconcile.Request {
		return m.runningIn(ctx, object.GetNamespace())
	})
}

// BySecret maps a Secret of a control plane to the meshes that run in its namespace.
func (m Mapper) BySecret(ctx context.Context, secret *corev1.Secret) []reconcile.Request {
	return m.runningIn(ctx, secret.Namespace)
}

// All maps an object to every mesh.
func (m Mapper) All() handler.EventHandler {
	return handler.EnqueueRequestsFromMapFunc(func(ctx context.Context, _ client.Object) []reconcile.Request {
		return m.Filter(ctx, func(*v1alpha1.Mesh) bool { return true })
	})
}

// runningIn lists the meshes whose control plane runs in a namespace.
func (m Mapper) runningIn(ctx context.Context, namespace string) []reconcile.Request {
	return m.Filter(ctx, func(mesh *v1alpha1.Mesh) bool { return m.Cluster.Desired(mesh).Namespace == namespace })
}

// Filter lists some meshes. An error can be ignored: the cache is empty only before its first sync, which reconciles all.
func (m Mapper) Filter(ctx context.Context, choose func(*v1alpha1.Mesh) bool) []reconcile.Request {
	var meshes v1alpha1.MeshList
	if err := m.Cluster.Client.List(ctx, &meshes); err != nil {
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

// named is a request for a mesh; none without a name.
func named(mesh string) []reconcile.Request {
	if mesh == "" {
		return nil
	}
	return []reconcile.Request{{NamespacedName: client.ObjectKey{Name: mesh}}}
}

// OnlyDeletes passes deletions.
func OnlyDeletes() predicate.Predicate {
	return predicate.Funcs{
		CreateFunc:  func(event.CreateEvent) bool { return false },
		UpdateFunc:  func(event.UpdateEvent) bool { return false },
		GenericFunc: func(event.GenericEvent) bool { return false },
	}
}

// MeshChanges passes changes of a Mesh's spec and metadata, its deletion, and changes of some conditions. Other changes of the
// status do not pass, so that no controller triggers itself.
func MeshChanges(conditions ...string) predicate.Predicate {
	return predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		before, isMesh := e.ObjectOld.(*v1alpha1.Mesh)
		after, isMeshToo := e.ObjectNew.(*v1alpha1.Mesh)
		if !isMesh || !isMeshToo || before.ResourceVersion == after.ResourceVersion {
			return true
		}
		if before.Generation != after.Generation || !before.DeletionTimestamp.Equal(after.DeletionTimestamp) ||
			len(before.Finalizers) != len(after.Finalizers) {
			return true
		}
		if !maps.Equal(before.Labels, after.Labels) || !maps.Equal(before.Annotations, after.Annotations) {
			return true
		}
		// The status writer waits for the first summary.
		if isNew := func(m *v1alpha1.Mesh) bool {
			return meta.FindStatusCondition(m.Status.Conditions, v1alpha1.ConditionReady) == nil
		}; isNew(before) != isNew(after) {
			return true
		}
		return slices.ContainsFunc(conditions, func(kind string) bool { return hasChanged(before, after, kind) })
	}}
}

// hasChanged is true when a condition has another content, or is of another generation.
func hasChanged(before, after *v1alpha1.Mesh, kind string) bool {
	was, is := meta.FindStatusCondition(before.Status.Conditions, kind), meta.FindStatusCondition(after.Status.Conditions, kind)
	if was == nil || is == nil {
		return was != is
	}
	return was.Status != is.Status || was.Reason != is.Reason || was.ObservedGeneration != is.ObservedGeneration
}

// Schedule is when to reconcile again without an event.
type Schedule struct {
	// Requeue is 0 for never.
	Requeue time.Duration
}

// RequeueAfter asks for another reconciliation after a time; 0 asks for none. The earliest one counts.
func (s *Schedule) RequeueAfter(after time.Duration) {
	if after != 0 && (s.Requeue == 0 || after < s.Requeue) {
		s.Requeue = max(after, time.Second)
	}
}

// conflictRetry is longer than an event usually takes to reach the cache.
const conflictRetry = 200 * time.Millisecond

// RetryConflicts requeues a request whose reconciliation ended with a conflict, without logging an error: only the cache was behind the
// API server.
func RetryConflicts(r reconcile.Reconciler) reconcile.Reconciler {
	return reconcile.Func(func(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
		result, err := r.Reconcile(ctx, request)
		if apierrors.IsConflict(err) {
			return reconcile.Result{RequeueAfter: conflictRetry}, nil
		}
		return result, err
	})
}
