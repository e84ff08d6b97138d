package gateway

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/openservicemesh/osm-operator/internal/mesh/gateway"
	"github.com/openservicemesh/osm-operator/internal/platform/message"
)

func condition(kind string, v gateway.Verdict) metav1.Condition {
	return metav1.Condition{Type: kind, Status: statusOf(v.OK), Reason: v.Reason, Message: message.ForCondition(v.Message)}
}

func statusOf(ok bool) metav1.ConditionStatus {
	if ok {
		return metav1.ConditionTrue
	}
	return metav1.ConditionFalse
}

// programmedCondition describes whether clients can connect: the configuration is usable, and a pod of the ingress gateway is ready. The reasons of
// Gateways and listeners are the same.
func programmedCondition(s *state, served bool) metav1.Condition {
	c := metav1.Condition{Type: string(gatewayv1.GatewayConditionProgrammed), Status: metav1.ConditionFalse}
	switch {
	case !served:
		c.Reason, c.Message = string(gatewayv1.GatewayReasonInvalid), "Clients cannot connect: see the other conditions."
	case s.service == nil:
		c.Reason, c.Message = string(gatewayv1.GatewayReasonPending), "The mesh has no ingress gateway: set spec.ingressGateway.mode of the Mesh to Managed."
	case !s.ready:
		c.Reason, c.Message = string(gatewayv1.GatewayReasonPending), "No pod of the ingress gateway is ready."
	default:
		c.Status, c.Reason = metav1.ConditionTrue, string(gatewayv1.GatewayReasonProgrammed)
	}
	return c
}

// conflictedCondition describes whether an older listener has the same port and host.
func conflictedCondition(accepted gateway.Verdict) metav1.Condition {
	c := metav1.Condition{Type: string(gatewayv1.ListenerConditionConflicted), Status: metav1.ConditionFalse, Reason: string(gatewayv1.ListenerReasonNoConflicts)}
	switch gatewayv1.ListenerConditionReason(accepted.Reason) {
	case gatewayv1.ListenerReasonHostnameConflict, gatewayv1.ListenerReasonProtocolConflict:
		c.Status, c.Reason, c.Message = metav1.ConditionTrue, accepted.Reason, accepted.Message
	}
	return c
}

func parentReference(p gateway.ParentStatus) gatewayv1.ParentReference {
	reference := gatewayv1.ParentReference{
		Group: ptr.To(gatewayv1.Group(gateway.Group)), Kind: ptr.To(gatewayv1.Kind("Gateway")),
		Namespace: ptr.To(gatewayv1.Namespace(p.Parent.Gateway.Namespace)), Name: gatewayv1.ObjectName(p.Parent.Gateway.Name),
	}
	if p.Parent.Section != "" {
		reference.SectionName = ptr.To(gatewayv1.SectionName(p.Parent.Section))
	}
	if p.Parent.Port != 0 {
		reference.Port = ptr.To(gatewayv1.PortNumber(p.Parent.Port))
	}
	return reference
}
