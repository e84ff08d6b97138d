package status

import (
	"context"
	"slices"

	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
	"github.com/openservicemesh/osm-operator/internal/platform/backoff"
)

// routeSources returns the kinds of routes that can have Services as parents.
func routeSources(mesh string) []kinds.Source {
	var sources []kinds.Source
	for _, s := range kinds.GatewayAPI(mesh) {
		if slices.Contains(entity.RouteKinds(), s.Kind) {
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
	r := &routeReconciler{client: reader, leader: w.Leader, rejections: w.Rejections, mirror: w.Mirror, mesh: w.Mesh, source: s}
	resync := make(chan event.GenericEvent)
	err := ctrl.NewControllerManagedBy(mgr).Named("status-" + string(s.Kind)).For(kinds.Object(kind)).
		WithOptions(backoff.Options(1)).
		WatchesRawSource(source.Channel(resync, enqueueAll(reader, kind))).
		WatchesRawSource(source.Channel(w.Rejections.Watch(kind), &handler.EnqueueRequestForObject{})).
		WatchesRawSource(source.Channel(watchMirror(w.Mirror, kind), &handler.EnqueueRequestForObject{})).
		Complete(r)
	if err != nil {
		return err
	}
	return mgr.Add(manager.RunnableFunc(func(ctx context.Context) error { return forward(ctx, acquired, resync) }))
}
