package gateway

import (
	"context"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/openservicemesh/osm-operator/controllers/controlplane/gatewayapi"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/gateway"
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
	switch {
	case u.kind == kinds.Gateway:
		return r.writeUnreadableGateway(ctx, s, u)
	case isRoute(u.kind):
		return r.writeRoute(ctx, u.object, gatewayapi.UnreadableParents(u.object, u.problem, s.hasGateway))
	}
	return nil
}

func (r *Reconciler) writeUnreadableGateway(ctx context.Context, s *state, u unreadable) error {
	class, _, _ := unstructured.NestedString(u.object.Object, "spec", "gatewayClassName")
	for i := range s.classes {
		if s.classes[i].GetName() != class {
			continue
		}
		before, err := gatewayapi.ReadStatus[gatewayv1.Gateway](u.object)
		if err != nil {
			return err
		}
		after := before.Status.DeepCopy()
		accepted := gatewayapi.Condition(string(gatewayv1.GatewayConditionAccepted),
			gateway.Verdict{Reason: string(gatewayv1.GatewayReasonInvalid), Message: u.problem})
		gatewayapi.SetConditions(&after.Conditions, before.Generation, accepted, programmedCondition(pods{}, false))
		return gatewayapi.Patch(ctx, r.Client, u.object, before.Status, after)
	}
	return nil
}

// hasGateway reports whether a parent is a Gateway of this mesh.
func (s *state) hasGateway(parent catalog.RouteParent) bool {
	return slices.ContainsFunc(s.catalog.View().Gateways(), func(g *catalog.Gateway) bool { return g.Name == parent.Gateway })
}
