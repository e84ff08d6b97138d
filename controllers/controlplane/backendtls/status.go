package backendtls

import (
	"context"
	"errors"
	"slices"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/openservicemesh/osm-operator/controllers/controlplane/gatewayapi"
	"github.com/openservicemesh/osm-operator/controllers/controlplane/status"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/gateway"
	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// maxAncestors is how many entries the API allows, with those of other controllers.
const maxAncestors = 16

// writeStatus writes changed entries of all policies. A policy outside the mesh has none.
func (r *Reconciler) writeStatus(ctx context.Context, v *catalog.View, objects []unstructured.Unstructured) error {
	evaluated := map[entity.Name][]gateway.AncestorStatus{}
	for _, policy := range v.BackendTLSPolicies() {
		evaluated[policy.Name] = gateway.BackendTLSStatus(v, policy)
	}
	var failed error
	for i := range objects {
		object := &objects[i]
		name := entity.Name{Namespace: object.GetNamespace(), Name: object.GetName()}
		targets := evaluated[name]
		if rejections, _ := r.Rejected(kinds.BackendTLSPolicy.Kind, name.Namespace, name.Name); len(rejections) > 0 {
			reject(targets, status.RejectionMessage(rejections))
		}
		failed = errors.Join(failed, r.write(ctx, object.DeepCopy(), targets))
	}
	return failed
}

// reject makes a policy that sidecars reject not accepted.
func reject(targets []gateway.AncestorStatus, text string) {
	for i := range targets {
		if targets[i].Accepted.OK {
			targets[i].Accepted = gateway.Verdict{Reason: kinds.ReasonRejectedByProxy, Message: text + " " + gateway.EffectOf(targets[i].Target)}
		}
	}
}

// write replaces the entries of the mesh, and keeps those of other controllers.
func (r *Reconciler) write(ctx context.Context, object *unstructured.Unstructured, targets []gateway.AncestorStatus) error {
	before, err := gatewayapi.ReadStatus[gatewayv1.BackendTLSPolicy](object)
	if err != nil {
		return err
	}
	controller := gatewayv1.GatewayController(names.GatewayController(r.Mesh))
	after, earlier := before.Status.DeepCopy(), before.Status.Ancestors
	after.Ancestors = slices.DeleteFunc(slices.Clone(earlier), func(a gatewayv1.PolicyAncestorStatus) bool { return a.ControllerName == controller })
	for _, target := range targets {
		if len(after.Ancestors) == maxAncestors {
			break
		}
		server := entity.Name{Namespace: before.Namespace, Name: target.Target.Name}
		reference := gatewayapi.Reference(target.Target.Group, target.Target.Kind, server, target.Target.Section)
		entry := gatewayv1.PolicyAncestorStatus{ControllerName: controller, AncestorRef: reference}
		for i := range earlier {
			if earlier[i].ControllerName == controller && equality.Semantic.DeepEqual(earlier[i].AncestorRef, entry.AncestorRef) {
				entry.Conditions = earlier[i].Conditions
			}
		}
		gatewayapi.SetConditions(&entry.Conditions, before.Generation,
			gatewayapi.Condition(string(gatewayv1.PolicyConditionAccepted), target.Accepted),
			gatewayapi.Condition(string(gatewayv1.BackendTLSPolicyConditionResolvedRefs), target.ResolvedRefs))
		after.Ancestors = append(after.Ancestors, entry)
	}
	if len(after.Ancestors) == 0 && len(earlier) == 0 {
		return nil
	}
	if after.Ancestors == nil {
		after.Ancestors = []gatewayv1.PolicyAncestorStatus{} // the API requires the list
	}
	return gatewayapi.Patch(ctx, r.Client, object, before.Status, after)
}
