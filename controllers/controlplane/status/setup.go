package status

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/openservicemesh/osm-operator/controllers/controlplane/traffic"
	"github.com/openservicemesh/osm-operator/internal/ingest"
	"github.com/openservicemesh/osm-operator/internal/names"
)

// Writers are what the reconcilers of all kinds share. All fields are required.
type Writers struct {
	Leader     *Leader
	Rejections *Rejections
	// Mesh is the name of the mesh whose namespaces count.
	Mesh string
	// Defined says whether the cluster defines a kind.
	Defined func(schema.GroupVersionKind) bool
}

// Setup adds a reconciler for each SMI kind that the cluster defines. Call it before the Leader and the Rejections run.
func (w Writers) Setup(mgr manager.Manager) error {
	judges := []struct {
		kind  schema.GroupVersionKind
		judge Judge
		// about are the kinds whose change may change the verdict about objects of this kind in the same namespace.
		about []schema.GroupVersionKind
	}{
		{traffic.TrafficTarget, JudgeTarget, []schema.GroupVersionKind{traffic.HTTPRouteGroup, traffic.TCPRoute}},
		{traffic.TrafficSplit, JudgeSplit, []schema.GroupVersionKind{traffic.TrafficSplit}},
		{traffic.HTTPRouteGroup, JudgeRoutes(ingest.HTTPRouteGroup), nil},
		{traffic.TCPRoute, JudgeRoutes(ingest.TCPRoute), nil},
	}
	for _, j := range judges {
		if !w.Defined(j.kind) {
			continue
		}
		if err := w.add(mgr, j.kind, j.judge, j.about); err != nil {
			return err
		}
	}
	w.Leader.Notify(w.Rejections.wake)
	return nil
}

func (w Writers) add(mgr manager.Manager, kind schema.GroupVersionKind, judge Judge, about []schema.GroupVersionKind) error {
	r := &Reconciler{
		Client: mgr.GetClient(), Recorder: mgr.GetEventRecorder(names.Controller), Leader: w.Leader,
		Empty: traffic.Object(kind), Judge: judge, Rejections: w.Rejections, InMesh: inMesh(mgr.GetClient(), w.Mesh),
	}
	gained := make(chan struct{}, 1)
	w.Leader.Notify(gained)
	again := make(chan event.GenericEvent)
	b := ctrl.NewControllerManagedBy(mgr).Named("status-"+kind.Kind).For(traffic.Object(kind)).
		WatchesRawSource(source.Channel(again, allOf(mgr.GetClient(), kind, ""))).
		WatchesRawSource(source.Channel(w.Rejections.watch(kind), &handler.EnqueueRequestForObject{})).
		// An object may be older than its namespace's membership, or reach this process before its namespace does.
		Watches(&corev1.Namespace{}, inside(mgr.GetClient(), kind), builder.WithPredicates(predicate.LabelChangedPredicate{}))
	for _, other := range about {
		if w.Defined(other) {
			b = b.Watches(traffic.Object(other), neighbours(mgr.GetClient(), kind))
		}
	}
	if err := b.Complete(r); err != nil {
		return err
	}
	return mgr.Add(manager.RunnableFunc(func(ctx context.Context) error {
		for {
			select {
			case <-ctx.Done():
				return nil
			case <-gained:
				again <- event.GenericEvent{Object: traffic.Object(kind)}
			}
		}
	}))
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
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(kind)
	if err := reader.List(ctx, list, client.InNamespace(namespace)); err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "cannot list", "kind", kind.Kind)
		return nil
	}
	var result []ctrl.Request
	for _, item := range list.Items {
		result = append(result, ctrl.Request{NamespacedName: client.ObjectKeyFromObject(&item)})
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
