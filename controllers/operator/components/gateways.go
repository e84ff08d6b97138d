package components

import (
	"context"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/openservicemesh/osm-operator/internal/operator/component"
)

// OfClass implements Gateways.
func (w *Watches) OfClass(ctx context.Context, class string) (gateways []*unstructured.Unstructured, served bool, err error) {
	kind := component.Gateway()
	// The control plane writes status, which changes no generation.
	changes := source.Kind(w.gatewayCache, objectOf(kind.GroupVersionKind), byClass(), predicate.TypedGenerationChangedPredicate[*unstructured.Unstructured]{})
	if served, err := w.ensure(ctx, kind, w.gatewayCache, changes); err != nil || !served {
		return nil, false, err
	}
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(kind.GroupVersionKind)
	if err := w.gateways.List(ctx, list); err != nil {
		return nil, false, err
	}
	for i := range list.Items {
		if classOf(&list.Items[i]) == class {
			gateways = append(gateways, &list.Items[i])
		}
	}
	return gateways, true, nil
}

// byClass maps a Gateway to the Mesh with the name of its class. After a change of the class both are reconciled.
func byClass() handler.TypedEventHandler[*unstructured.Unstructured, reconcile.Request] {
	return handler.TypedEnqueueRequestsFromMapFunc(func(_ context.Context, gateway *unstructured.Unstructured) []reconcile.Request {
		return []reconcile.Request{{NamespacedName: client.ObjectKey{Name: classOf(gateway)}}}
	})
}

func classOf(gateway *unstructured.Unstructured) string {
	class, _, _ := unstructured.NestedString(gateway.Object, "spec", "gatewayClassName")
	return class
}
