package gateway

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/openservicemesh/osm-operator/controllers/controlplane/traffic"
	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
	"github.com/openservicemesh/osm-operator/internal/platform/backoff"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// Setup adds the controller to mgr once the cluster defines the Gateway API.
func (r *Reconciler) Setup(mgr manager.Manager) error {
	return mgr.Add(manager.RunnableFunc(func(ctx context.Context) error {
		return traffic.WhenDefined(ctx, mgr.GetRESTMapper(), func() error { return r.add(mgr) }, gatewayKinds()...)
	}))
}

func gatewayKinds() []schema.GroupVersionKind {
	return []schema.GroupVersionKind{kinds.GatewayClass, kinds.Gateway, kinds.HTTPRoute, kinds.ReferenceGrant}
}

func (r *Reconciler) add(mgr manager.Manager) error {
	all := handler.EnqueueRequestsFromMapFunc(func(context.Context, client.Object) []ctrl.Request {
		return []ctrl.Request{{NamespacedName: client.ObjectKey{Name: "all"}}}
	})
	ofGateway := predicate.NewPredicateFuncs(func(object client.Object) bool {
		return object.GetNamespace() == r.Namespace && object.GetLabels()[discoveryv1.LabelServiceName] == names.IngressGateway
	})
	b := ctrl.NewControllerManagedBy(mgr).Named("gateways").WithOptions(backoff.Options(1)).
		Watches(&corev1.Namespace{}, all, builder.WithPredicates(predicate.LabelChangedPredicate{})).
		Watches(&corev1.Service{}, all, builder.WithPredicates(predicate.ResourceVersionChangedPredicate{})).
		Watches(&discoveryv1.EndpointSlice{}, all, builder.WithPredicates(ofGateway))
	if r.RejectedRoutes != nil {
		b = b.WatchesRawSource(source.Channel(r.RejectedRoutes(), all))
	}
	for _, kind := range gatewayKinds() {
		b = b.Watches(kinds.Object(kind), all)
	}
	return b.Complete(r)
}
