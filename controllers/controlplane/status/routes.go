package status

import (
	"context"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/openservicemesh/osm-operator/controllers/controlplane/gatewayapi"
	"github.com/openservicemesh/osm-operator/internal/controlplane/mirror"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/gateway"
	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
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
	return ctrl.Result{}, r.writer().Write(ctx, object, parents)
}

func (r *routeReconciler) writer() gatewayapi.RouteWriter {
	return gatewayapi.RouteWriter{Client: r.client, Controller: gatewayv1.GatewayController(names.GatewayController(r.mesh)), Replaces: gatewayapi.IsService}
}

// evaluate returns the status for the Services among the parents; none for a route outside the mesh, which another mesh may apply.
func (r *routeReconciler) evaluate(ctx context.Context, object *unstructured.Unstructured) ([]gateway.ParentStatus, error) {
	if concerned, err := isConcerned(ctx, r.client, r.mirror, object); err != nil || !concerned {
		return nil, err
	}
	entry, problems := r.source.Ingest(object)
	if len(problems) > 0 {
		return unreadableParents(object, problems[0].StatusMessage()), nil
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

// unreadableParents returns the Services that a route refers to whose other fields cannot be read.
func unreadableParents(object *unstructured.Unstructured, problem string) []gateway.ParentStatus {
	var parents []gateway.ParentStatus
	for _, parent := range gatewayapi.ReadableParents(object) {
		if parent.Service != (entity.Name{}) {
			parents = append(parents, gateway.ParentStatus{
				Parent:   parent,
				Accepted: gateway.Verdict{Reason: string(gatewayv1.RouteReasonUnsupportedValue), Message: problem},
			})
		}
	}
	return parents
}
