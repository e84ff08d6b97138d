package cli

import (
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/openservicemesh/osm-operator/internal/cli/explain"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
)

// addStatus lets answers consider what the control plane reports in the status of objects: listeners that the ingress gateway does not serve,
// and Egresses whose hosts have no address.
func addStatus(m *explain.Mesh, objects []*unstructured.Unstructured) {
	byName := map[entity.Ref]*unstructured.Unstructured{}
	for _, object := range objects {
		if kind := entity.Kind(object.GetKind()); kind == entity.KindGateway || kind == entity.KindEgress {
			byName[entity.Ref{Kind: kind, Name: entity.Name{Namespace: object.GetNamespace(), Name: object.GetName()}}] = object
		}
	}
	m.Unprogrammed = func(gateway entity.Name, listener string) string {
		return unprogrammed(byName[entity.Ref{Kind: entity.KindGateway, Name: gateway}], listener)
	}
	m.Unavailable = func(ref entity.Ref) string { return unavailable(byName[ref]) }
}

// unprogrammed returns why a listener is not served; empty if it is, or if the status is about an earlier version of the Gateway.
func unprogrammed(object *unstructured.Unstructured, listener string) string {
	gateway := &gatewayv1.Gateway{}
	if object == nil || runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, gateway) != nil {
		return ""
	}
	i := slices.IndexFunc(gateway.Status.Listeners, func(l gatewayv1.ListenerStatus) bool { return string(l.Name) == listener })
	if i < 0 {
		return ""
	}
	conditions := gateway.Status.Listeners[i].Conditions
	programmed := meta.FindStatusCondition(conditions, string(gatewayv1.ListenerConditionProgrammed))
	if programmed == nil || programmed.Status != metav1.ConditionFalse || programmed.ObservedGeneration != gateway.Generation {
		return ""
	}
	if refs := meta.FindStatusCondition(conditions, string(gatewayv1.ListenerConditionResolvedRefs)); refs != nil && refs.Status == metav1.ConditionFalse {
		return refs.Message
	}
	return programmed.Message
}

// answered503 is in each message of ResolvedRefs about requests that reach nothing. Other messages are about limits or unknown clients.
const answered503 = "get status 503"

// unavailable returns the message of the condition by which what an Egress allows gets status 503; empty if it does not.
func unavailable(object *unstructured.Unstructured) string {
	if object == nil {
		return ""
	}
	conditions, err := kinds.ConditionsOf(object)
	if err != nil {
		return ""
	}
	refs := meta.FindStatusCondition(conditions, kinds.ConditionResolvedRefs)
	if refs == nil || refs.Status != metav1.ConditionFalse || refs.ObservedGeneration != object.GetGeneration() ||
		!strings.Contains(refs.Message, answered503) {
		return ""
	}
	return refs.Message
}
