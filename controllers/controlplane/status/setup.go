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

// Setup adds a reconciler for each SMI kind that the cluster defines. mesh is the name of the mesh whose namespaces count.
func Setup(mgr manager.Manager, leader *Leader, mesh string, defined func(schema.GroupVersionKind) bool) error {
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
		if !defined(j.kind) {
			continue
		}
		if err := add(mgr, leader, mesh, j.kind, j.judge, j.about, defined); err != nil {
			return err
		}
	}
	return nil
}

func add(mgr manager.Manager, leader *Leader, mesh string, kind schema.GroupVersionKind, judge Judge,
	about []schema.GroupVersionKind, defined func(schema.GroupVersionKind) bool,
) error {
	r := &Reconciler{
		Client: mgr.GetClient(), Recorder: mgr.GetEventRecorder(names.Controller), Leader: leader,
		Empty: traffic.Object(kind), Judge: judge, InMesh: inMesh(mgr.GetClient(), mesh),
	}
	gained := make(chan struct{}, 1)
	leader.Notify(gained)
	again := make(chan event.GenericEvent)
	b := ctrl.NewControllerManagedBy(mgr).Named("status-"+kind.Kind).For(traffic.Object(kind)).
		WatchesRawSource(source.Channel(again, allOf(mgr.GetClient(), kind, ""))).
		// An object may be older than its namespace's membership, or reach this process before its namespace does.
		Watches(&corev1.Namespace{}, inside(mgr.GetClient(), kind), builder.WithPredicates(predicate.LabelChangedPredicate{}))
	for _, other := range about {
		if defined(other) {
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
		return ingest.Namespace(&ns, mesh).Monitored && ns.DeletionTimestamp == nil, nil
	}
}
