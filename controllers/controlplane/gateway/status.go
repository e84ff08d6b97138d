package gateway

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/ptr"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/openservicemesh/osm-operator/controllers/controlplane/gatewayapi"
	"github.com/openservicemesh/osm-operator/controllers/controlplane/status"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/gateway"
	"github.com/openservicemesh/osm-operator/internal/mesh/ingest"
	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
	"github.com/openservicemesh/osm-operator/internal/platform/message"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// writeStatus writes the status of all objects. A failure of one does not prevent the others.
func (r *Reconciler) writeStatus(ctx context.Context, s *state) error {
	var failed []error
	for i := range s.classes {
		failed = append(failed, r.writeClass(ctx, &s.classes[i]))
	}
	result := gateway.Resolve(s.catalog.View())
	for _, g := range result.Gateways {
		failed = append(failed, r.writeGateway(ctx, s, g))
	}
	resolved := map[*unstructured.Unstructured]bool{}
	for _, route := range result.Routes {
		object := s.routes[route.Route.Ref()]
		resolved[object] = true
		failed = append(failed, r.writeRoute(ctx, object, gatewayapi.Validated(route.Route, route.Parents)))
	}
	for _, object := range s.routes {
		if !resolved[object] {
			// The route has no Gateway of this mesh any more.
			failed = append(failed, r.writeRoute(ctx, object, nil))
		}
	}
	for _, u := range s.unreadable {
		failed = append(failed, r.writeUnreadable(ctx, s, u))
	}
	return errors.Join(failed...)
}

func (r *Reconciler) writeClass(ctx context.Context, object *unstructured.Unstructured) error {
	class, err := gatewayapi.ReadStatus[gatewayv1.GatewayClass](object)
	if err != nil {
		return err
	}
	status := class.Status.DeepCopy()
	gatewayapi.SetConditions(&status.Conditions, class.Generation, metav1.Condition{
		Type: string(gatewayv1.GatewayClassConditionStatusAccepted), Status: metav1.ConditionTrue, Reason: string(gatewayv1.GatewayClassReasonAccepted),
	})
	return gatewayapi.Patch(ctx, r.Client, object, class.Status, status)
}

func (r *Reconciler) writeGateway(ctx context.Context, s *state, g gateway.GatewayStatus) error {
	object := s.gateways[g.Gateway.Name]
	before, err := gatewayapi.ReadStatus[gatewayv1.Gateway](object)
	if err != nil {
		return err
	}
	status := before.Status.DeepCopy()
	pods := s.podsOf(g.Gateway)
	status.Addresses = addressesOf(pods.service)
	programmed := gatewayProgrammed(pods, slices.ContainsFunc(g.Listeners, func(l gateway.ListenerStatus) bool { return l.Served }))
	gatewayapi.SetConditions(&status.Conditions, before.Generation, gatewayapi.Condition(string(gatewayv1.GatewayConditionAccepted), g.Accepted), programmed)
	setInsecure(&status.Conditions, before.Generation, g.Insecure)
	earlier := status.Listeners
	status.Listeners = nil
	for i, l := range g.Listeners {
		listener := gatewayv1.ListenerStatus{Name: gatewayv1.SectionName(l.Name), AttachedRoutes: l.AttachedRoutes, SupportedKinds: supportedKinds(l.Kinds)}
		for k := range earlier {
			if earlier[k].Name == listener.Name {
				listener.Conditions = slices.Clone(earlier[k].Conditions)
			}
		}
		r.setClaim(&listener.Conditions, before.Generation, l.Claim, g.Gateway.Listeners[i].Claimed)
		gatewayapi.SetConditions(&listener.Conditions, before.Generation,
			gatewayapi.Condition(string(gatewayv1.ListenerConditionAccepted), l.Accepted),
			gatewayapi.Condition(string(gatewayv1.ListenerConditionResolvedRefs), l.ResolvedRefs),
			conflictedCondition(l.Accepted), programmedCondition(pods, l.Served))
		status.Listeners = append(status.Listeners, listener)
	}
	return gatewayapi.Patch(ctx, r.Client, object, before.Status, status)
}

// setInsecure reports the listeners that demand certificates of clients, and admit others too. There is no condition without one.
func setInsecure(list *[]metav1.Condition, generation int64, listeners []string) {
	kind := string(gatewayv1.GatewayConditionInsecureFrontendValidationMode)
	if len(listeners) == 0 {
		*list = slices.DeleteFunc(slices.Clone(*list), func(c metav1.Condition) bool { return c.Type == kind })
		return
	}
	gatewayapi.SetConditions(list, generation, metav1.Condition{
		Type: kind, Status: metav1.ConditionTrue, Reason: string(gatewayv1.GatewayReasonConfigurationChanged),
		Message: message.ForCondition(fmt.Sprintf("The mode AllowInsecureFallback also admits clients without a valid certificate to these listeners: %s.", strings.Join(listeners, ", "))),
	})
}

// supportedKinds are the kinds of routes that may attach to a listener. The field is required, also if it is empty.
func supportedKinds(allowed []entity.Kind) []gatewayv1.RouteGroupKind {
	supported := make([]gatewayv1.RouteGroupKind, 0, len(allowed))
	for _, kind := range allowed {
		supported = append(supported, gatewayv1.RouteGroupKind{Group: ptr.To(gatewayv1.Group(gateway.Group)), Kind: gatewayv1.Kind(kind.APIName())})
	}
	return supported
}

// setClaim records what a listener claims, and since when. A new claim begins now.
func (r *Reconciler) setClaim(list *[]metav1.Condition, generation int64, claim string, since time.Time) {
	if earlier := meta.FindStatusCondition(*list, ingest.ConditionHostClaimed); earlier != nil && earlier.Message != claim {
		meta.RemoveStatusCondition(list, ingest.ConditionHostClaimed)
	}
	if claim == "" {
		return
	}
	if since.IsZero() {
		since = r.Now()
	}
	gatewayapi.SetConditions(list, generation, metav1.Condition{
		Type: ingest.ConditionHostClaimed, Status: metav1.ConditionTrue, Reason: "Claimed", Message: claim, LastTransitionTime: metav1.NewTime(since),
	})
}

// writeRoute writes the status of a route for its Gateways. Envoy's rejection of the route overrides Accepted.
func (r *Reconciler) writeRoute(ctx context.Context, object *unstructured.Unstructured, parents []gateway.ParentStatus) error {
	if rejections, _ := r.Rejected(string(kinds.EntryKind(object.GroupVersionKind())), object.GetNamespace(), object.GetName()); len(rejections) > 0 {
		parents = gatewayapi.NotAccepted(parents, kinds.ReasonRejectedByProxy, status.RejectionMessage(rejections))
	}
	return gatewayapi.RouteWriter{
		Client: r.Client, Controller: gatewayv1.GatewayController(names.GatewayController(r.Mesh)),
		// The entries of Services have another writer.
		Replaces: func(ref gatewayv1.ParentReference) bool { return !gatewayapi.IsService(ref) },
	}.Write(ctx, object, parents)
}

// addressesOf are the addresses by which clients reach the Service: those of its load balancer, or, for a Service of type ClusterIP, its own. An
// address in the cluster must not be published while a load balancer is on its way: external-dns writes what is here into public DNS.
func addressesOf(service *corev1.Service) []gatewayv1.GatewayStatusAddress {
	if service == nil {
		return nil
	}
	var addresses []gatewayv1.GatewayStatusAddress
	add := func(kind gatewayv1.AddressType, value string) {
		if value != "" && value != corev1.ClusterIPNone {
			addresses = append(addresses, gatewayv1.GatewayStatusAddress{Type: &kind, Value: value})
		}
	}
	for _, ingress := range service.Status.LoadBalancer.Ingress {
		add(gatewayv1.IPAddressType, ingress.IP)
		add(gatewayv1.HostnameAddressType, ingress.Hostname)
	}
	if service.Spec.Type == corev1.ServiceTypeClusterIP {
		for _, ip := range service.Spec.ClusterIPs {
			add(gatewayv1.IPAddressType, ip)
		}
	}
	return addresses
}

// gatewayProgrammed is programmedCondition for a Gateway, which needs an address too.
func gatewayProgrammed(p pods, served bool) metav1.Condition {
	c := programmedCondition(p, served)
	if served && p.rejection != "" {
		c.Status, c.Reason = metav1.ConditionFalse, string(gateway.ReasonObjectRejected)
		c.Message = message.ForCondition(fmt.Sprintf("The API server rejects an object of this Gateway: %s. If it names a label or annotation of spec.infrastructure, "+
			"correct it there. Otherwise, who manages the mesh can.", p.rejection))
		return c
	}
	if served && p.service == nil && p.perGateway {
		c.Reason = string(gatewayv1.GatewayReasonAddressNotAssigned)
	}
	if c.Status == metav1.ConditionTrue && p.service.Spec.Type == corev1.ServiceTypeLoadBalancer && len(p.service.Status.LoadBalancer.Ingress) == 0 {
		c.Status, c.Reason = metav1.ConditionFalse, string(gatewayv1.GatewayReasonAddressNotAssigned)
		c.Message = fmt.Sprintf("The Service %s/%s has the type LoadBalancer and no address yet. In a cluster without load balancers, choose another type of the Service "+
			"in spec.ingressGateway of the Mesh.", p.service.Namespace, p.service.Name)
	}
	return c
}

// podsOf are the pods that serve a Gateway.
func (s *state) podsOf(g *catalog.Gateway) pods {
	class := s.catalog.View().GatewayClass(g.Class)
	if class == nil || !class.PerGateway {
		return s.shared
	}
	own := s.dedicated[g.Name]
	own.perGateway = true
	return own
}

// programmedCondition describes whether clients can connect: the configuration is usable, and a pod is ready. The reasons of Gateways and listeners are
// the same.
func programmedCondition(p pods, served bool) metav1.Condition {
	c := metav1.Condition{Type: string(gatewayv1.GatewayConditionProgrammed), Status: metav1.ConditionFalse}
	switch {
	case !served:
		c.Reason, c.Message = string(gatewayv1.GatewayReasonInvalid), "Clients cannot connect: see the other conditions."
	case p.service == nil && p.perGateway:
		c.Reason, c.Message = string(gatewayv1.GatewayReasonPending), "The Gateway has no Service yet. If the operator does not create it, "+
			"the condition ComponentsReady of the Mesh says why."
	case p.service == nil:
		c.Reason, c.Message = string(gatewayv1.GatewayReasonPending), "The mesh has no ingress gateway: set spec.ingressGateway.mode of the Mesh to Managed."
	case !p.ready && p.perGateway:
		c.Reason, c.Message = string(gatewayv1.GatewayReasonPending), fmt.Sprintf("No pod of the Deployment %s/%s is ready.",
			p.service.Namespace, p.service.Name)
	case !p.ready:
		c.Reason, c.Message = string(gatewayv1.GatewayReasonPending), "No pod of the ingress gateway is ready."
	default:
		c.Status, c.Reason = metav1.ConditionTrue, string(gatewayv1.GatewayReasonProgrammed)
	}
	return c
}

// conflictedCondition describes whether an older listener has the same port and host.
func conflictedCondition(accepted gateway.Verdict) metav1.Condition {
	c := metav1.Condition{
		Type: string(gatewayv1.ListenerConditionConflicted), Status: metav1.ConditionFalse,
		Reason: string(gatewayv1.ListenerReasonNoConflicts),
	}
	switch gatewayv1.ListenerConditionReason(accepted.Reason) {
	case gatewayv1.ListenerReasonHostnameConflict, gatewayv1.ListenerReasonProtocolConflict:
		c.Status, c.Reason, c.Message = metav1.ConditionTrue, accepted.Reason, accepted.Message
	}
	return c
}
