package dataplane

import (
	"context"
	"maps"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
	"github.com/openservicemesh/osm-operator/internal/operator/desired"
	"github.com/openservicemesh/osm-operator/internal/operator/enqueue"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// Sources returns watches that request a reconciliation of the meshes of changed pods. The status of a workload
// changes with its pods, so only changes of its spec and labels count. PodDisruptionBudgets are read when a wave is chosen.
func (p *Plane) Sources() []source.Source {
	return []source.Source{
		source.Kind(p.cache, &corev1.Pod{}, batched(func(ctx context.Context, pod *corev1.Pod) []reconcile.Request {
			mesh, _ := desired.MeshOf(pod.Labels[names.RevisionLabel])
			return requests(mesh, p.meshOf(ctx, pod.Namespace))
		})),
		watchWorkloads(p, &appsv1.Deployment{}), watchWorkloads(p, &appsv1.StatefulSet{}), watchWorkloads(p, &appsv1.DaemonSet{}),
		p.thirdParty.source(), watchKubelets(p),
	}
}

// podDelay is how long the events of pods are collected. A reconciliation reads all pods of a mesh, and a lost node changes hundreds at once.
const podDelay = 500 * time.Millisecond

// batched returns a handler that requests one reconciliation for all events within podDelay.
func batched[T client.Object](requests func(context.Context, T) []reconcile.Request) handler.TypedEventHandler[T, reconcile.Request] {
	return enqueue.Changes(func(ctx context.Context, object T, queue enqueue.Queue) {
		for _, request := range requests(ctx, object) {
			queue.AddAfter(request, podDelay)
		}
	})
}

// watchWorkloads requests a reconciliation when a workload may be restarted now: it opted in again, or its denied restart is tried again.
func watchWorkloads[T client.Object](p *Plane, kind T) source.Source {
	return source.Kind(p.cache, kind,
		handler.TypedEnqueueRequestsFromMapFunc(func(ctx context.Context, workload T) []reconcile.Request {
			return requests(p.meshOf(ctx, workload.GetNamespace()))
		}),
		predicate.TypedFuncs[T]{
			CreateFunc: func(event.TypedCreateEvent[T]) bool { return false },
			DeleteFunc: func(event.TypedDeleteEvent[T]) bool { return false },
			UpdateFunc: func(e event.TypedUpdateEvent[T]) bool { return isEdited(e.ObjectOld, e.ObjectNew) },
		})
}

// isEdited reports whether the spec or the labels of an object differ.
func isEdited(before, after client.Object) bool {
	return before.GetGeneration() != after.GetGeneration() || !maps.Equal(before.GetLabels(), after.GetLabels())
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

// strip removes the fields that this package does not read. A cluster has many pods and workloads.
func strip(object any) (any, error) {
	switch o := object.(type) {
	case *corev1.Pod:
		stripPodMeta(&o.ObjectMeta)
		o.Spec = corev1.PodSpec{
			NodeName: o.Spec.NodeName, RestartPolicy: o.Spec.RestartPolicy, ImagePullSecrets: o.Spec.ImagePullSecrets,
			ServiceAccountName: o.Spec.ServiceAccountName,
			Containers:         sidecarOnly(o.Spec.Containers), InitContainers: sidecarOnly(o.Spec.InitContainers),
		}
		o.Status = corev1.PodStatus{Phase: o.Status.Phase, Conditions: readyOnly(o.Status.Conditions), InitContainerStatuses: startOnly(o.Status)}
	case *corev1.Node:
		stripNode(o)
	case *appsv1.Deployment:
		stripMeta(&o.ObjectMeta)
		stripTemplate(&o.Spec.Template)
	case *appsv1.StatefulSet:
		stripMeta(&o.ObjectMeta)
		stripTemplate(&o.Spec.Template)
		o.Spec.VolumeClaimTemplates = nil
	case *appsv1.DaemonSet:
		stripMeta(&o.ObjectMeta)
		stripTemplate(&o.Spec.Template)
	case *unstructured.Unstructured:
		if o.GroupVersionKind() == kinds.TrafficTarget {
			o.SetManagedFields(nil)
			o.SetAnnotations(nil)
			break
		}
		stripThirdParty(o)
	}
	return object, nil
}

func stripMeta(meta *metav1.ObjectMeta) {
	meta.ManagedFields, meta.Annotations = nil, nil
}

// slotAnnotations are the annotations of pods with two slots.
func slotAnnotations() []string {
	return []string{
		names.SlotsLevelAnnotation, names.SidecarHashAnnotation, names.InjectedSidecarAnnotation, names.InjectedInitAnnotation, names.SlotChangeAnnotation,
	}
}

// stripPodMeta keeps the annotations of the slots, and the operator's changes of their images.
func stripPodMeta(meta *metav1.ObjectMeta) {
	annotations, changes := meta.Annotations, slotChanges(meta)
	stripMeta(meta)
	for _, key := range slotAnnotations() {
		if value := annotations[key]; value != "" {
			metav1.SetMetaDataAnnotation(meta, key, value)
		}
	}
	meta.ManagedFields = changes
}

// stripTemplate keeps the labels, which PodDisruptionBudgets select by, and the operator's annotation.
func stripTemplate(template *corev1.PodTemplateSpec) {
	template.Spec = corev1.PodSpec{}
	maps.DeleteFunc(template.Annotations, func(key, _ string) bool { return key != names.RestartAnnotation })
}

// sidecarOnly keeps the name, the image and the restart policy of a sidecar, of the other slot, and of the init container, which shows how images are replaced.
func sidecarOnly(containers []corev1.Container) []corev1.Container {
	var kept []corev1.Container
	for _, c := range containers {
		if names.IsSlot(c.Name) || c.Name == names.InitContainer {
			kept = append(kept, corev1.Container{Name: c.Name, Image: c.Image, RestartPolicy: c.RestartPolicy})
		}
	}
	return kept
}

// startOnly keeps which containers of the sidecar started and when, or why they do not, and whether they have ended.
func startOnly(pod corev1.PodStatus) []corev1.ContainerStatus {
	var all []corev1.ContainerStatus
	for _, status := range slices.Concat(pod.InitContainerStatuses, pod.ContainerStatuses) {
		if !names.IsSlot(status.Name) {
			continue
		}
		if hasStarted(status) && status.RestartCount == 0 && status.State.Running == nil {
			status.RestartCount = 1
		}
		kept := corev1.ContainerStatus{
			Name: status.Name, RestartCount: status.RestartCount, ContainerID: status.ContainerID, State: corev1.ContainerState{Running: status.State.Running},
		}
		if waiting := status.State.Waiting; waiting != nil {
			kept.State.Waiting = &corev1.ContainerStateWaiting{Reason: waiting.Reason}
		}
		if status.State.Terminated != nil {
			kept.State.Terminated = &corev1.ContainerStateTerminated{}
		}
		all = append(all, kept)
	}
	return all
}

func readyOnly(conditions []corev1.PodCondition) []corev1.PodCondition {
	return lists.Filter(conditions, func(c corev1.PodCondition) bool { return c.Type == corev1.PodReady })
}
