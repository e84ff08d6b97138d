package gateway

import (
	"slices"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
)

// addRoute attaches a route to the listeners of its parents.
func (r *resolver) addRoute(route *catalog.HTTPRoute) {
	status := RouteStatus{Route: route}
	backends, resolved := r.resolveBackends(route)
	for _, parent := range route.Parents {
		g := r.byName[parent.Gateway]
		if g == nil {
			continue
		}
		accepted := r.attach(g, parent, route, backends)
		if text := unsupportedRule(route); accepted.OK && text != "" {
			accepted = Verdict{OK: true, Reason: accepted.Reason, Message: "Some rules answer 500, because " + text + "."}
			if len(route.Rules) == 1 {
				accepted = no(gatewayv1.RouteReasonUnsupportedValue, "Requests are answered with 500, because %s.", text)
			}
		}
		status.Parents = append(status.Parents, ParentStatus{Parent: parent, Accepted: accepted, ResolvedRefs: resolved})
	}
	if len(status.Parents) > 0 {
		r.routes = append(r.routes, status)
	}
}

func unsupportedRule(route *catalog.HTTPRoute) string {
	for i := range route.Rules {
		if route.Rules[i].Unsupported != "" {
			return route.Rules[i].Unsupported
		}
	}
	return ""
}

// attach attaches a route to the matching listeners of a Gateway that admit it.
func (r *resolver) attach(g *gatewayState, parent catalog.RouteParent, route *catalog.HTTPRoute, backends [][]Backend) Verdict {
	verdict := no(gatewayv1.RouteReasonNoMatchingParent, "Gateway %s has no listener with this sectionName and port.", parent.Gateway)
	attached, leftOut := false, ""
	for _, l := range g.listeners {
		if parent.Section != "" && parent.Section != l.spec.Name || parent.Port != 0 && parent.Port != l.spec.Port {
			continue
		}
		hostnames := commonHostnames(l.spec.Hostname, route.Hostnames)
		switch {
		case l.spec.OtherKinds || !r.admits(l, g.gateway.Name.Namespace, route.Name.Namespace):
			verdict = no(gatewayv1.RouteReasonNotAllowedByListeners, "allowedRoutes of Gateway %s do not admit HTTPRoutes of the namespace %s.", parent.Gateway, route.Name.Namespace)
		case len(hostnames) == 0:
			verdict = no(gatewayv1.RouteReasonNoMatchingListenerHostname, "No host of this route is among those of the listeners of Gateway %s.", parent.Gateway)
		case l.has(route):
			attached = true
		case !r.own.Admit(route.Name.Namespace, len(hostnames)*sizeOf(route)):
			leftOut = l.spec.Name
		default:
			attached = true
			l.routes = append(l.routes, attachedRoute{route, hostnames, backends})
		}
	}
	switch {
	case leftOut != "":
		return tooManyRoutes(parent.Gateway, leftOut, route.Name.Namespace)
	case attached:
		return yes(gatewayv1.RouteReasonAccepted)
	}
	return verdict
}

// admits reports whether a listener admits routes of a namespace. Only namespaces of the mesh have routes.
func (r *resolver) admits(l *listenerState, own, namespace string) bool {
	if !r.view.InMesh(namespace) && namespace != r.view.Settings().Namespace {
		return false
	}
	switch gatewayv1.FromNamespaces(l.spec.From) {
	case gatewayv1.NamespacesFromAll:
		return true
	case gatewayv1.NamespacesFromSelector:
		return l.spec.Selector.Matches(r.view.LabelsOf(namespace))
	case gatewayv1.NamespacesFromSame:
		return namespace == own
	}
	return false
}

// resolveBackends returns the backends of each rule, and whether all of them can be used.
func (r *resolver) resolveBackends(route *catalog.HTTPRoute) ([][]Backend, Verdict) {
	verdict := yes(gatewayv1.RouteReasonResolvedRefs)
	all := make([][]Backend, len(route.Rules))
	for i := range route.Rules {
		for _, ref := range route.Rules[i].Backends {
			backend, problem := r.resolveBackend(route.Name.Namespace, ref)
			if !problem.OK {
				verdict = problem
			}
			all[i] = append(all[i], backend)
		}
	}
	return all, verdict
}

func (r *resolver) resolveBackend(namespace string, ref catalog.RouteBackend) (Backend, Verdict) {
	backend := Backend{Weight: ref.Weight}
	from := catalog.GrantedReferrer{Group: Group, Kind: "HTTPRoute", Namespace: namespace}
	switch {
	case ref.Unsupported != "":
		return backend, no(gatewayv1.RouteReasonInvalidKind, "A backendRef refers to %s: refer to a Service.", ref.Unsupported)
	case ref.Service.Namespace != namespace && !r.view.Grants(from, "", "Service", ref.Service):
		return backend, no(gatewayv1.RouteReasonRefNotPermitted, "No ReferenceGrant in the namespace %s permits HTTPRoutes of the namespace %s to use the Service %s.", ref.Service.Namespace, namespace, ref.Service.Name)
	}
	service := r.view.Service(ref.Service)
	if service == nil {
		return backend, no(gatewayv1.RouteReasonBackendNotFound, "There is no Service %s in the mesh.", ref.Service)
	}
	i := slices.IndexFunc(service.Ports, func(p catalog.Port) bool { return p.Number == ref.Port })
	if i < 0 {
		return backend, no(gatewayv1.RouteReasonBackendNotFound, "The Service %s has no port %d.", ref.Service, ref.Port)
	}
	backend.Service, backend.Port = service, service.Ports[i]
	return backend, yes(gatewayv1.RouteReasonResolvedRefs)
}
