package status

import (
	"context"
	"slices"

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

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
	"github.com/openservicemesh/osm-operator/internal/platform/backoff"
)

// routeSources returns the kinds of routes that can have Services as parents.
func routeSources(mesh string) []kinds.Source {
	var sources []kinds.Source
	for _, s := range kinds.GatewayAPI(mesh) {
		if slices.Contains(catalog.RouteKinds(), s.Kind) {
			sources = append(sources, s)
		}
	}
	return sources
}

// addRoutes adds a controller for each kind of routes, once the cluster defines the kind. It needs no other kind of the Gateway API.
func (w Writers) addRoutes(mgr manager.Manager) error {
	for _, s := range routeSources(w.Mesh) {
		acquired := make(chan struct{}, 1)
		w.Leader.Notify(acquired)
		kind := s.Object.GetObjectKind().GroupVersionKind()
		err := mgr.Add(manager.RunnableFunc(func(ctx context.Context) error {
			return w.Definitions.WhenDefined(ctx, func() error { return w.addRoute(mgr, s, acquired) }, kind)
		}))
		if err != nil {
			return err
		}
	}
	return nil
}

func (w Writers) addRoute(mgr manager.Manager, s kinds.Source, acquired <-chan struct{}) error {
	reader, kind := mgr.GetClient(), s.Object.GetObjectKind().GroupVersionKind()
	r := &routeReconciler{client: reader, leader: w.Leader, rejections: w.Rejections, mesh: w.Mesh, source: s}
	resync := make(chan event.GenericEvent)
	controller, err := ctrl.NewControllerManagedBy(mgr).Named("status-"+string(s.Kind)).For(kinds.Object(kind)).
		WithOptions(backoff.Options(1)).
		WatchesRawSource(source.Channel(resync, enqueueAll(reader, kind, ""))).
		WatchesRawSource(source.Channel(w.Rejections.Watch(kind), &handler.EnqueueRequestForObject{})).
		Watches(&corev1.Namespace{}, enqueueConflicting(reader, kind, inOrNamingNamespace), builder.WithPredicates(predicate.LabelChangedPredicate{}, isLater())).
		Watches(&corev1.Service{}, enqueueConflicting(reader, kind, namingService), builder.WithPredicates(predicate.ResourceVersionChangedPredicate{}, isLater())).
		Build(r)
	if err != nil {
		return err
	}
	start := func(watch relatedWatch) error {
		var object client.Object = kinds.Object(watch.kind)
		return controller.Watch(source.Kind(mgr.GetCache(), object, watch.handler, watch.predicates...))
	}
	specs := []predicate.Predicate{predicate.GenerationChangedPredicate{}}
	related := []relatedWatch{{kinds.ReferenceGrant, enqueueConflicting(reader, kind, namingNamespace), specs}}
	if s.Kind.RoutesConnections() {
		for _, other := range connectionSources(w.Mesh) {
			related = append(related, relatedWatch{other.Object.GetObjectKind().GroupVersionKind(), enqueueRouted(reader, kind, sharingParents), specs})
		}
	}
	err = mgr.Add(manager.RunnableFunc(func(ctx context.Context) error {
		return startWatches(ctx, w.Definitions, related, start)
	}))
	if err != nil {
		return err
	}
	return mgr.Add(manager.RunnableFunc(func(ctx context.Context) error { return forward(ctx, acquired, resync) }))
}

// isLater returns a predicate for all events but those of the initial list. Routes are in an initial list as well, and to compare each of thousands with
// each Service would take seconds.
func isLater() predicate.Predicate {
	return predicate.Funcs{CreateFunc: func(e event.CreateEvent) bool { return !e.IsInInitialList }}
}

// inOrNamingNamespace returns a filter for the routes in a namespace, and for those that refer to one of its Services.
func inOrNamingNamespace(namespace client.Object) func(*unstructured.Unstructured) bool {
	return func(route *unstructured.Unstructured) bool {
		return route.GetNamespace() == namespace.GetName() || contains(route.Object["spec"], namespace.GetName())
	}
}

// namingNamespace returns a filter for the routes that name the namespace of an object.
func namingNamespace(object client.Object) func(*unstructured.Unstructured) bool {
	return func(route *unstructured.Unstructured) bool {
		return contains(route.Object["spec"], object.GetNamespace())
	}
}

// namingService returns a filter for the routes that name a Service as a parent or backend.
func namingService(service client.Object) func(*unstructured.Unstructured) bool {
	return func(route *unstructured.Unstructured) bool {
		isNear := route.GetNamespace() == service.GetNamespace() || contains(route.Object["spec"], service.GetNamespace())
		return isNear && contains(route.Object["spec"], service.GetName())
	}
}

// enqueueRouted enqueues the objects of the kind, in the namespace of the changed route, that it can affect.
func enqueueRouted(reader client.Reader, kind schema.GroupVersionKind, of func(client.Object) func(*unstructured.Unstructured) bool) handler.EventHandler {
	return handler.EnqueueRequestsFromMapFunc(func(ctx context.Context, route client.Object) []ctrl.Request {
		return listMatchingRequests(ctx, reader, kind, route.GetNamespace(), of(route))
	})
}
