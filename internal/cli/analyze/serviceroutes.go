package analyze

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/gateway"
	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// serviceRoutes reports routes of the Gateway API that do not apply to the Services among their parents as they should. Files have no status, so the
// findings do not depend on it.
func (a *analysis) serviceRoutes() {
	for _, route := range entries[*catalog.HTTPRoute](a) {
		a.connectionsOfGateways(route)
		parents := gateway.ServiceParents(a.view, route)
		switch {
		case len(parents) == 0:
		case a.view.InMesh(route.Name.Namespace):
			a.serviceParents(route, parents)
			a.routeBackends(route, parents)
			a.rejectedRoute(a.subject(route.Kind, route.Name))
		default:
			a.routeOutside(route, parents)
		}
	}
}

// connectionsOfGateways reports a TLSRoute or TCPRoute for a Gateway of the mesh without a listener for it.
func (a *analysis) connectionsOfGateways(route *catalog.HTTPRoute) {
	if !route.Kind.RoutesConnections() {
		return
	}
	for _, g := range a.view.Gateways() {
		isParent := func(p catalog.RouteParent) bool { return p.Gateway == g.Name }
		isFor := func(l catalog.GatewayListener) bool { return slices.Contains(l.RouteKinds(), route.Kind) }
		if slices.ContainsFunc(route.Parents, isParent) && !slices.ContainsFunc(g.Listeners, isFor) {
			a.add(codeConnectionRoute, a.subject(route.Kind, route.Name), "Gateway %s has no listener for %ss, so the route has no effect on it: add one with the protocol %s, or make a Service the parent.",
				g.Name, route.Kind.APIName(), strings.TrimSuffix(route.Kind.APIName(), "Route"))
		}
	}
}

// serviceParents reports Services to which a route does not apply, and rules that are not supported.
func (a *analysis) serviceParents(route *catalog.HTTPRoute, parents []gateway.ParentStatus) {
	for _, p := range parents {
		switch service := p.Parent.Service; {
		case p.Accepted.OK, a.view.Service(service) == nil && !a.missing(entity.KindService, service) && a.mesh.Partial:
		case p.Accepted.Reason == gateway.ReasonConflicted:
			a.add(codeRouteConflict, a.subject(route.Kind, route.Name), "%s", p.Accepted.Message)
		case p.Accepted.Reason == string(gatewayv1.RouteReasonNoMatchingParent):
			a.add(codeNoServiceParent, a.subject(route.Kind, route.Name), "%s Correct spec.parentRefs, or the ports of the Service.", p.Accepted.Message)
		default:
			a.add(codeGatewayAPI, a.subject(route.Kind, route.Name), "Accepted is False, %s: %s", p.Accepted.Reason, p.Accepted.Message)
		}
	}
}

// routeBackends reports backends that sidecars cannot use for requests to one of the parents. Most problems are the same for all of them.
func (a *analysis) routeBackends(route *catalog.HTTPRoute, parents []gateway.ParentStatus) {
	for i := range route.Rules {
		for _, ref := range route.Rules[i].References() {
			for _, parent := range parents {
				problem := gateway.ServiceBackend(a.view, parent.Parent.Service, route, ref)
				if !problem.OK && !a.isElsewhere(route, ref) {
					a.add(codeRouteBackend, a.subject(route.Kind, route.Name), "%s %s", problem.Message, backendRemedy(problem.Reason, route.Name.Namespace, ref.Service))
					break
				}
			}
		}
	}
}

// backendRemedy says what to do about a backend that sidecars cannot use.
func backendRemedy(reason, namespace string, service entity.Name) string {
	switch {
	case reason == string(gatewayv1.RouteReasonRefNotPermitted):
		return fmt.Sprintf("Create a ReferenceGrant in namespace %s for routes of namespace %s, or name a Service of namespace %s.", service.Namespace, namespace, namespace)
	case service.Name != "":
		return fmt.Sprintf("Correct spec.rules[].backendRefs, or create Service %s with this port in a namespace of the mesh.", service)
	}
	return "Correct spec.rules[].backendRefs."
}

// isElsewhere reports whether files may lack what makes a backend usable.
func (a *analysis) isElsewhere(route *catalog.HTTPRoute, ref catalog.RouteBackend) bool {
	if !a.mesh.Partial || ref.Unsupported != "" {
		return false
	}
	needsGrant := ref.Service.Namespace != route.Name.Namespace && !a.has(entity.KindReferenceGrant, ref.Service.Namespace)
	return needsGrant || !a.exists(entity.KindService, ref.Service) && !a.missing(entity.KindService, ref.Service)
}

// routeOutside reports a route of a namespace outside the mesh for a Service of the mesh.
func (a *analysis) routeOutside(route *catalog.HTTPRoute, parents []gateway.ParentStatus) {
	for _, p := range parents {
		if a.view.Service(p.Parent.Service) != nil && !a.mesh.Partial {
			a.add(codeOutsideMesh, a.subject(route.Kind, route.Name), "Namespace %s is not part of mesh %s, so the route does not apply to requests to Service %s: add the namespace with `osm namespace add %s`, or move the route.",
				route.Name.Namespace, a.mesh.Name, p.Parent.Service, route.Name.Namespace)
		}
	}
}

// rejectedRoute reports that sidecars reject a route, or have too many routes. Only its status knows.
func (a *analysis) rejectedRoute(s subject) {
	route := &gatewayv1.HTTPRoute{} // all kinds of routes have the same status
	if !s.readStatus(route) {
		return
	}
	for _, parent := range route.Status.Parents {
		accepted := meta.FindStatusCondition(parent.Conditions, string(gatewayv1.RouteConditionAccepted))
		isService := parent.ParentRef.Kind != nil && *parent.ParentRef.Kind == "Service"
		if !isService || accepted == nil || accepted.ObservedGeneration != route.Generation ||
			string(parent.ControllerName) != names.GatewayController(a.mesh.Name) {
			continue
		}
		switch accepted.Reason {
		case kinds.ReasonRejectedByProxy:
			a.add(codeRejected, s, "%s", accepted.Message)
		case kinds.ReasonTooManyRoutes:
			a.add(codeGatewayAPI, s, "Accepted is False, %s: %s", accepted.Reason, accepted.Message)
		}
	}
}
