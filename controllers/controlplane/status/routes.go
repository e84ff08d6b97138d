package status

import (
	"context"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/openservicemesh/osm-operator/controllers/controlplane/gatewayapi"
	"github.com/openservicemesh/osm-operator/internal/controlplane/mirror"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/gateway"
	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// routeReconciler writes the status of the routes of one kind for their parents that are Services. Gateways have another writer.
type routeReconciler struct {
	client     client.Client
	leader     *Leader
	rejections *Rejections
	mirror     *mirror.Mirror
	mesh       string
	// source reads the objects of the kind.
	source kinds.Source
}

// Reconcile evaluates one route and writes changed entries. A replica without the Lease writes nothing.
func (r *routeReconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	if !r.leader.Leading() {
		return ctrl.Result{}, nil
	}
	kind := r.source.Object.GetObjectKind().GroupVersionKind()
	rejected, known := r.rejections.Of(string(r.source.Kind), request.Namespace, request.Name)
	if !known {
		return ctrl.Result{RequeueAfter: time.Second}, nil
	}
	object := kinds.Object(kind)
	if err := r.client.Get(ctx, request.NamespacedName, object); err != nil {
		if apierrors.IsNotFound(err) {
			r.mirror.Forget(refOf(kind, request))
		}
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	parents, err := r.evaluate(ctx, object)
	if err != nil {
		return ctrl.Result{}, err
	}
	if limited := r.rejections.limitedIn(string(r.source.Kind), request.Namespace, request.Name); limited != "" {
		parents = gatewayapi.NotAccepted(parents, kinds.ReasonTooManyRoutes, limitEffect(string(r.source.Kind), limited))
	}
	if len(rejected) > 0 {
		parents = gatewayapi.NotAccepted(parents, kinds.ReasonRejectedByProxy, RejectionMessage(rejected))
	}
	controller := gatewayv1.GatewayController(names.GatewayController(r.mesh))
	return ctrl.Result{}, gatewayapi.RouteWriter{Client: r.client, Controller: controller, Replaces: gatewayapi.IsService}.Write(ctx, object, parents)
}

// evaluate returns the status for the Services among the parents; none for a route outside the mesh, which another mesh may apply.
func (r *routeReconciler) evaluate(ctx context.Context, object *unstructured.Unstructured) ([]gateway.ParentStatus, error) {
	if concerned, err := isConcerned(ctx, r.client, r.mirror, object); err != nil || !concerned {
		return nil, err
	}
	entry, problems := r.source.Ingest(object)
	if len(problems) > 0 {
		isService := func(parent catalog.RouteParent) bool { return parent.Service != (entity.Name{}) }
		return gatewayapi.UnreadableParents(object, problems[0].StatusMessage(), isService), nil
	}
	route, ok := entry.(*catalog.HTTPRoute)
	if !ok {
		return nil, nil
	}
	var parents []gateway.ParentStatus
	r.mirror.Read(route.Ref(), func(v *catalog.View) {
		v.IsMember(object.GetNamespace())
		parents = gateway.ServiceParents(v, route)
	})
	return gatewayapi.Validated(route, parents), nil
}

// routeSources returns the kinds of routes that can have Services as parents.
func routeSources(mesh string) []kinds.Source {
	return lists.Filter(kinds.GatewayAPI(mesh), func(s kinds.Source) bool { return slices.Contains(entity.RouteKinds(), s.Kind) })
}

// addRoutes adds a controller for each kind of routes, once the cluster defines the kind. It needs no other kind of the Gateway API.
func (w Writers) addRoutes(mgr manager.Manager) error {
	for _, s := range routeSources(w.Mesh) {
		r := &routeReconciler{client: mgr.GetClient(), leader: w.Leader, rejections: w.Rejections, mirror: w.Mirror, mesh: w.Mesh, source: s}
		if err := w.add(mgr, s.Object.GetObjectKind().GroupVersionKind(), r, false); err != nil {
			return err
		}
	}
	return nil
}
