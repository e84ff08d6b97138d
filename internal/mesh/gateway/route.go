package gateway

import (
	"fmt"
	"maps"
	"slices"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
)

// addRoute attaches a route to the listeners of its parents.
func (r *resolver) addRoute(route *catalog.HTTPRoute) {
	status := RouteStatus{Route: route}
	refs := &references{resolver: r, route: route}
	for _, parent := range route.Parents {
		g := r.byName[parent.Gateway]
		if g == nil {
			continue
		}
		accepted := r.attach(g, parent, refs)
		if accepted.OK {
			accepted = acceptRules(route, accepted.Message)
		}
		status.Parents = append(status.Parents, ParentStatus{Parent: parent, Accepted: accepted, ResolvedRefs: refs.resolved})
	}
	if len(status.Parents) == 0 {
		return
	}
	if !refs.done && r.isOfMesh(route.Name.Namespace) {
		r.notAdmitted[len(r.routes)] = refs
	}
	r.routes = append(r.routes, status)
}

// resolveOthers resolves the references of routes that no listener admits, after all others, for their status. Those of namespaces outside the mesh need
// no work.
func (r *resolver) resolveOthers() {
	for _, i := range slices.Sorted(maps.Keys(r.notAdmitted)) {
		r.notAdmitted[i].resolve()
		for k := range r.routes[i].Parents {
			r.routes[i].Parents[k].ResolvedRefs = r.notAdmitted[i].resolved
		}
	}
}

// isOfMesh reports whether a namespace may have routes: those of the mesh, and its own.
func (r *resolver) isOfMesh(namespace string) bool {
	return r.view.InMesh(namespace) || namespace == r.view.Settings().Namespace
}

// acceptRules reports whether a route is accepted that has a parent. Its message is another one if a rule is not supported.
func acceptRules(route *catalog.HTTPRoute, message string) Verdict {
	rule := unsupportedRule(route)
	if rule == nil {
		return Verdict{OK: true, Reason: string(gatewayv1.RouteReasonAccepted), Message: message}
	}
	all, some := "Requests are answered with 500", "Some rules answer 500"
	if len(rule.Matches) == 0 {
		all, some = "The rule matches no request", "Some rules match no request"
	}
	if len(route.Rules) == 1 {
		return no(gatewayv1.RouteReasonUnsupportedValue, "%s, because %s.", all, rule.Unsupported)
	}
	return Verdict{OK: true, Reason: string(gatewayv1.RouteReasonAccepted), Message: some + ", because " + rule.Unsupported + "."}
}

// unsupportedRule returns the first rule that is not supported; nil for none.
func unsupportedRule(route *catalog.HTTPRoute) *catalog.HTTPRouteRule {
	for i := range route.Rules {
		if route.Rules[i].Unsupported != "" {
			return &route.Rules[i]
		}
	}
	return nil
}

// attach attaches a route to the matching listeners of a Gateway that admit it.
func (r *resolver) attach(g *gatewayState, parent catalog.RouteParent, refs *references) Verdict {
	route := refs.route
	verdict := no(gatewayv1.RouteReasonNoMatchingParent, "Gateway %s has no listener with this sectionName and port.", parent.Gateway)
	attached, leftOut := false, ""
	for _, l := range g.listeners {
		if parent.Section != "" && parent.Section != l.spec.Name || parent.Port != 0 && parent.Port != l.spec.Port {
			continue
		}
		hostnames := commonHostnames(l.spec.Hostname, route.Hostnames)
		switch {
		case !slices.Contains(l.spec.RouteKinds(), route.Kind) || !r.admits(l, g.gateway.Name.Namespace, route.Name.Namespace):
			verdict = no(gatewayv1.RouteReasonNotAllowedByListeners, "allowedRoutes of Gateway %s do not admit %ss of the namespace %s.", parent.Gateway, route.Kind.APIName(), route.Name.Namespace)
		case len(hostnames) == 0:
			verdict = no(gatewayv1.RouteReasonNoMatchingListenerHostname, "No host of this route is among those of the listeners of Gateway %s.", parent.Gateway)
		case l.has(route):
			attached = true
		case !refs.resolve():
			return tooManyReferences(route.Name.Namespace)
		case !r.own.Admit(route.Name.Namespace, len(hostnames)*r.sizeOf(route, refs.backends)):
			leftOut = l.spec.Name
		default:
			attached = true
			l.routes = append(l.routes, attachedRoute{route, hostnames, refs.backends, r.sizeOf(route, refs.backends)})
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
	if !r.isOfMesh(namespace) {
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

// ReasonTooManyRoutes means that the HTTPRoutes of a namespace have more routes than the ingress gateway can have.
const ReasonTooManyRoutes gatewayv1.RouteConditionReason = "TooManyRoutes"

// sizeOf counts the routes of an HTTPRoute for one hostname. Each match has all backends of its rule, and instead of the root of a TrafficSplit
// all backends of the split.
func (r *resolver) sizeOf(route *catalog.HTTPRoute, backends [][]Backend) int {
	size := 1
	if route.Kind.RoutesConnections() {
		size = routesOfChain
	}
	for i := range route.Rules {
		width := 0
		for _, backend := range backends[i] {
			width += r.widthOf(backend)
		}
		size += weightOf(&route.Rules[i], width)
	}
	return size
}

// widthOf counts the destinations of a backend.
func (r *resolver) widthOf(backend Backend) int {
	if backend.Service == nil {
		return 1
	}
	if split := r.view.Split(backend.Service.Name); split != nil {
		return max(1, len(split.Backends))
	}
	return 1
}

// has reports whether a route is attached already. Routes are attached one after the other.
func (l *listenerState) has(route *catalog.HTTPRoute) bool {
	return len(l.routes) > 0 && l.routes[len(l.routes)-1].route == route
}

func tooManyRoutes(name entity.Name, listener, namespace string) Verdict {
	return no(ReasonTooManyRoutes, "This route has no effect in listener %s of Gateway %s, because the HTTPRoutes of namespace %s exceed %d routes: "+
		"use fewer hostnames, matches or backends.", listener, name, namespace, authz.MaxRoutes)
}

// inheritsWiderRules reports whether a host has the rules of less specific hostnames too. Wildcards multiply with the hosts that they include. These routes
// count for the namespace of the host, so others keep theirs.
func (r *resolver) inheritsWiderRules(x routeIndex, domain string) bool {
	own := x.positions[keyOf(domain)]
	size := -x.sizes[keyOf(domain)]
	for key := range wider(domain) {
		size += x.sizes[key]
	}
	if size <= 0 || len(own) == 0 || r.inherited.Admit(x.routes[own[0]].route.Name.Namespace, size) {
		return true
	}
	for _, i := range own {
		route := x.routes[i].route
		r.narrowed[route] = fmt.Sprintf("Some hosts have no rules of less specific hostnames, because those for hosts of namespace %s exceed %d routes: use fewer hostnames.",
			route.Name.Namespace, authz.MaxRoutes)
	}
	return false
}
