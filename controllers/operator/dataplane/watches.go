package dataplane

import (
	"context"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/openservicemesh/osm-operator/controllers/operator/desired"
	"github.com/openservicemesh/osm-operator/internal/names"
)

// Sources returns watches that request a reconciliation of the meshes of changed pods. A workload changes with its pods, so only a change
// of its opt-out label counts. PodDisruptionBudgets are read when a wave is chosen.
func (p *Plane) Sources() []source.Source {
	return []source.Source{
		source.Kind(p.cache, &corev1.Pod{}, handler.TypedEnqueueRequestsFromMapFunc(func(ctx context.Context, pod *corev1.Pod) []reconcile.Request {
			mesh, _ := desired.MeshOf(pod.Labels[names.RevisionLabel])
			return requests(mesh, p.meshOf(ctx, pod.Namespace))
		})),
		watchOptOut(p, &appsv1.Deployment{}), watchOptOut(p, &appsv1.StatefulSet{}), watchOptOut(p, &appsv1.DaemonSet{}),
	}
}

// watchOptOut requests a reconciliation when a workload opts out of restarts or in again.
func watchOptOut[T client.Object](p *Plane, kind T) source.Source {
	return source.Kind(p.cache, kind,
		handler.TypedEnqueueRequestsFromMapFunc(func(ctx context.Context, workload T) []reconcile.Request {
			return requests(p.meshOf(ctx, workload.GetNamespace()))
		}),
		predicate.TypedFuncs[T]{
			CreateFunc: func(event.TypedCreateEvent[T]) bool { return false },
			DeleteFunc: func(event.TypedDeleteEvent[T]) bool { return false },
			UpdateFunc: func(e event.TypedUpdateEvent[T]) bool {
				return e.ObjectOld.GetLabels()[names.RestartLabel] != e.ObjectNew.GetLabels()[names.RestartLabel]
			},
		})
}

// requests returns one request for each distinct mesh with a name.
func requests(meshes ...string) []reconcile.Request {
	var all []reconcile.Request
	for i, mesh := range meshes {
		if mesh != "" && (i == 0 || mesh != meshes[0]) {
			all = append(all, reconcile.Request{NamespacedName: client.ObjectKey{Name: mesh}})
		}
	}
	return all
}
