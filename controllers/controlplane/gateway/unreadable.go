package gateway

import (
	"context"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/openservicemesh/osm-operator/controllers/controlplane/status"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/gateway"
	"github.com/openservicemesh/osm-operator/internal/mesh/ingest"
	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
)

// unreadable is an object that has another form than the known version of its kind.
type unreadable struct {
	kind    schema.GroupVersionKind
	object  *unstructured.Unstructured
	problem string
}

// writeUnreadable writes that an object is not accepted, if it refers to this mesh.
func (r *Reconciler) writeUnreadable(ctx context.Context, s *state, u unreadable) error {
	switch u.kind {
	case kinds.Gateway:
		return r.writeUnreadableGateway(ctx, s, u)
	case kinds.HTTPRoute:
		return r.writeRoute(ctx, u.object, unreadableParents(s, u))
	}
	return nil
}

func (r *Reconciler) writeUnreadableGateway(ctx context.Context, s *state, u unreadable) error {
	class, _, _ := unstructured.NestedString(u.object.Object, "spec", "gatewayClassName")
	for i := range s.classes {
		if s.classes[i].GetName() != class {
			continue
		}
		before, err := readStatus[gatewayv1.Gateway](u.object)
		if err != nil {
			return err
		}
		after := before.Status.DeepCopy()
		accepted := condition(string(gatewayv1.GatewayConditionAccepted), gateway.Verdict{Reason: string(gatewayv1.GatewayReasonInvalid), Message: u.problem})
		setConditions(&after.Conditions, before.Generation, accepted, programmedCondition(s, false))
		return r.patch(ctx, u.object, before.Status, after)
	}
	return nil
}

// unreadableParents returns the Gateways of this mesh that a route refers to, as far as they can be read.
func unreadableParents(s *state, u unreadable) []gateway.ParentStatus {
	refs, _, _ := unstructured.NestedSlice(u.object.Object, "spec", "parentRefs")
	var parents []gateway.ParentStatus
	for _, ref := range refs {
		content, _ := ref.(map[string]any)
		var typed gatewayv1.ParentReference
		if runtime.DefaultUnstructuredConverter.FromUnstructured(content, &typed) != nil {
			continue
		}
		parent, ok := ingest.RouteParent(u.object.GetNamespace(), typed)
		if !ok || !s.hasGateway(parent.Gateway) {
			continue
		}
		parents = append(parents, gateway.ParentStatus{
			Parent: parent, Accepted: gateway.Verdict{Reason: string(gatewayv1.RouteReasonUnsupportedValue), Message: u.problem},
		})
	}
	return parents
}

// hasGateway reports whether a Gateway is one of this mesh.
func (s *state) hasGateway(name catalog.Name) bool {
	for _, g := range s.catalog.View().Gateways() {
		if g.Name == name {
			return true
		}
	}
	return false
}

// routeConditions returns the conditions of a route for a parent. Envoy's rejection of the route overrides Accepted.
func (r *Reconciler) routeConditions(object *unstructured.Unstructured, p gateway.ParentStatus) []metav1.Condition {
	accepted := p.Accepted
	if rejections, _ := r.Rejected(kinds.HTTPRoute.Kind, object.GetNamespace(), object.GetName()); len(rejections) > 0 {
		accepted = gateway.Verdict{Reason: kinds.ReasonRejectedByProxy, Message: status.RejectionMessage(rejections)}
	}
	conditions := []metav1.Condition{condition(string(gatewayv1.RouteConditionAccepted), accepted)}
	if p.ResolvedRefs.Reason != "" {
		conditions = append(conditions, condition(string(gatewayv1.RouteConditionResolvedRefs), p.ResolvedRefs))
	}
	return conditions
}

// readStatus reads the metadata and the status of an object, whose spec may be unreadable.
func readStatus[T any](object *unstructured.Unstructured) (*T, error) {
	typed := new(T)
	content := map[string]any{"metadata": object.Object["metadata"]}
	if found, ok := object.Object["status"]; ok {
		content["status"] = found
	}
	return typed, runtime.DefaultUnstructuredConverter.FromUnstructured(content, typed)
}
