package status

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/source"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/controllers/controlplane/traffic"
	"github.com/openservicemesh/osm-operator/internal/ingest"
	"github.com/openservicemesh/osm-operator/internal/names"
)

// lookAgain is how often the API server is asked for a kind that it does not define yet.
const lookAgain = 5 * time.Second

// Writers are what the reconcilers of all kinds share. All fields are required.
type Writers struct {
	Leader     *Leader
	Rejections *Rejections
	// Mesh is the name of the mesh whose namespaces count.
	Mesh string
	// Namespace is where its MeshConfig is.
	Namespace string
	// Defined says whether the cluster defines a kind.
	Defined func(schema.GroupVersionKind) bool
}

// judged is a kind whose objects get a verdict.
type judged struct {
	kind  schema.GroupVersionKind
	judge Judge
	// about are the kinds whose change may change the verdict about objects of this kind in the same namespace.
	about []schema.GroupVersionKind
	// rivals tells which other objects of this kind a change concerns, in whatever namespace they are; nil for none.
	rivals func(client.Object) func(*unstructured.Unstructured) bool
	// services says that it matters which Services the namespace has, and config that the MeshConfig does.
	services, config bool
	// summarised says that the status has the two fields of OSM beside the conditions.
	summarised bool
}

func (w Writers) judges() []judged {
	return []judged{
		{kind: traffic.TrafficTarget, judge: JudgeTarget, about: []schema.GroupVersionKind{traffic.HTTPRouteGroup, traffic.TCPRoute}},
		{kind: traffic.TrafficSplit, judge: JudgeSplit, about: []schema.GroupVersionKind{traffic.TrafficSplit, traffic.HTTPRouteGroup}, services: true},
		{kind: traffic.HTTPRouteGroup, judge: JudgeRoutes(ingest.HTTPRouteGroup)},
		{kind: traffic.TCPRoute, judge: JudgeRoutes(ingest.TCPRoute)},
		{kind: traffic.UDPRoute, judge: JudgeUnenforced(ingest.UDPRoute)},
		{kind: traffic.Retry, judge: JudgeRetry(w.Namespace), rivals: sameSource, config: true},
		{
			kind: traffic.UpstreamTrafficSetting, judge: JudgeSetting, services: true, summarised: true,
			about: []schema.GroupVersionKind{traffic.UpstreamTrafficSetting, traffic.HTTPRouteGroup},
		},
		{
			kind: traffic.Backpressure, judge: JudgeBackpressure, services: true,
			about: []schema.GroupVersionKind{traffic.Backpressure, traffic.UpstreamTrafficSetting},
		},
	}
}

// Setup adds a reconciler for each kind of policy that the cluster defines, and for the others once it does. Call it before the Leader
// and the Rejections run.
func (w Writers) Setup(mgr manager.Manager) error {
	for _, j := range w.judges() {
		inputs := signals{gained: make(chan struct{}, 1), rejected: w.Rejections.watch(j.kind)}
		w.Leader.Notify(inputs.gained)
		if w.Defined(j.kind) {
			if err := w.add(mgr, j, inputs); err != nil {
				return err
			}
			continue
		}
		if err := mgr.Add(manager.RunnableFunc(func(ctx context.Context) error { return w.await(ctx, mgr, j, inputs) })); err != nil {
			return err
		}
	}
	w.Leader.Notify(w.Rejections.wake)
	return nil
}

// signals are what a reconciler hears beside the changes of objects.
type signals struct {
	gained   chan struct{}
	rejected <-chan event.GenericEvent
}

// await adds the reconciler of a kind when the cluster defines it.
func (w Writers) await(ctx context.Context, mgr manager.Manager, j judged, inputs signals) error {
	err := wait.PollUntilContextCancel(ctx, lookAgain, false, func(context.Context) (bool, error) { return w.Defined(j.kind), nil })
	if err != nil {
		return nil // the program ends
	}
	return w.add(mgr, j, inputs)
}

func (w Writers) add(mgr manager.Manager, j judged, inputs signals) error {
	reader := mgr.GetClient()
	r := &Reconciler{
		Client: reader, Recorder: mgr.GetEventRecorder(names.Controller), Leader: w.Leader, Summarised: j.summarised,
		Empty: traffic.Object(j.kind), Judge: j.judge, Rejections: w.Rejections, InMesh: inMesh(reader, w.Mesh),
	}
	again := make(chan event.GenericEvent)
	b := ctrl.NewControllerManagedBy(mgr).Named("status-"+j.kind.Kind).For(traffic.Object(j.kind)).
		WatchesRawSource(source.Channel(again, allOf(reader, j.kind, ""))).
		WatchesRawSource(source.Channel(inputs.rejected, &handler.EnqueueRequestForObject{})).
		// An object may be older than its namespace's membership, or reach this process before its namespace does.
		Watches(&corev1.Namespace{}, inside(reader, j.kind), builder.WithPredicates(predicate.LabelChangedPredicate{}))
	for _, other := range j.about {
		if w.Defined(other) {
			b = b.Watches(traffic.Object(other), neighbours(reader, j.kind))
		}
	}
	if j.rivals != nil {
		b = b.Watches(traffic.Object(j.kind), rivals(reader, j.kind, j.rivals))
	}
	if j.services {
		b = b.Watches(&corev1.Service{}, neighbours(reader, j.kind), builder.WithPredicates(predicate.ResourceVersionChangedPredicate{}))
	}
	if j.config {
		b = b.Watches(&configv1alpha2.MeshConfig{}, allOf(reader, j.kind, ""), builder.WithPredicates(predicate.GenerationChangedPredicate{}))
	}
	if err := b.Complete(r); err != nil {
		return err
	}
	return mgr.Add(manager.RunnableFunc(func(ctx context.Context) error {
		for {
			select {
			case <-ctx.Done():
				return nil
			case <-inputs.gained:
				again <- event.GenericEvent{Object: traffic.Object(j.kind)}
			}
		}
	}))
}

// rivals asks for the objects of the kind, in all namespaces, that have to do with the one that changed.
func rivals(reader client.Reader, kind schema.GroupVersionKind, of func(client.Object) func(*unstructured.Unstructured) bool) handler.EventHandler {
	return handler.EnqueueRequestsFromMapFunc(func(ctx context.Context, object client.Object) []ctrl.Request {
		return requestsLike(ctx, reader, kind, "", of(object))
	})
}

// neighbours asks for every object of the kind in the namespace of the object that changed.
func neighbours(reader client.Reader, kind schema.GroupVersionKind) handler.EventHandler {
	return handler.EnqueueRequestsFromMapFunc(func(ctx context.Context, object client.Object) []ctrl.Request {
		return requests(ctx, reader, kind, object.GetNamespace())
	})
}

// inside asks for every object of the kind in the namespace that changed.
func inside(reader client.Reader, kind schema.GroupVersionKind) handler.EventHandler {
	return handler.EnqueueRequestsFromMapFunc(func(ctx context.Context, namespace client.Object) []ctrl.Request {
		return requests(ctx, reader, kind, namespace.GetName())
	})
}

// allOf asks for every object of the kind in a namespace; in all when it is empty.
func allOf(reader client.Reader, kind schema.GroupVersionKind, namespace string) handler.EventHandler {
	return handler.EnqueueRequestsFromMapFunc(func(ctx context.Context, _ client.Object) []ctrl.Request {
		return requests(ctx, reader, kind, namespace)
	})
}

func requests(ctx context.Context, reader client.Reader, kind schema.GroupVersionKind, namespace string) []ctrl.Request {
	return requestsLike(ctx, reader, kind, namespace, func(*unstructured.Unstructured) bool { return true })
}

func requestsLike(
	ctx context.Context, reader client.Reader, kind schema.GroupVersionKind, namespace string, alike func(*unstructured.Unstructured) bool,
) []ctrl.Request {
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(kind)
	if err := reader.List(ctx, list, client.InNamespace(namespace), client.UnsafeDisableDeepCopy); err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "cannot list", "kind", kind.Kind)
		return nil
	}
	var result []ctrl.Request
	for i := range list.Items {
		if alike(&list.Items[i]) {
			result = append(result, ctrl.Request{NamespacedName: client.ObjectKeyFromObject(&list.Items[i])})
		}
	}
	return result
}

// inMesh says whether a namespace is part of the mesh and will stay: in one that is being deleted no Event can be written.
func inMesh(reader client.Reader, mesh string) func(context.Context, string) (bool, error) {
	return func(ctx context.Context, namespace string) (bool, error) {
		var ns corev1.Namespace
		if err := reader.Get(ctx, client.ObjectKey{Name: namespace}, &ns); err != nil {
			return false, client.IgnoreNotFound(err)
		}
		entry, _ := ingest.Namespace(&ns, mesh)
		return entry.Monitored && ns.DeletionTimestamp == nil, nil
	}
}
