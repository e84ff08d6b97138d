package gateway

import (
	"fmt"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
)

// ReasonTooManyRoutes means that the HTTPRoutes of a namespace have more routes than the ingress gateway can have.
const ReasonTooManyRoutes gatewayv1.RouteConditionReason = "TooManyRoutes"

// sizeOf counts the routes of an HTTPRoute for one hostname. Each match has all backends of its rule.
func sizeOf(route *catalog.HTTPRoute) int {
	size := 1
	for i := range route.Rules {
		size += len(route.Rules[i].Matches) * max(1, len(route.Rules[i].Backends))
	}
	return size
}

// has reports whether a route is attached already. Routes are attached one after the other.
func (l *listenerState) has(route *catalog.HTTPRoute) bool {
	return len(l.routes) > 0 && l.routes[len(l.routes)-1].route == route
}

func tooManyRoutes(name catalog.Name, listener, namespace string) Verdict {
	return no(ReasonTooManyRoutes, "This route has no effect in listener %s of Gateway %s, because the HTTPRoutes of namespace %s exceed %d routes: "+
		"use fewer hostnames, matches or backends.", listener, name, namespace, authz.MaxRoutes)
}

// inherits reports whether a host has the rules of less specific hostnames too. Wildcards multiply with the hosts that they include. These routes
// count for the namespace of the host, so others keep theirs.
func (r *resolver) inherits(x routeIndex, domain string) bool {
	own := x.positions[keyOf(domain)]
	size := -x.sizes[keyOf(domain)]
	for key := range wider(domain) {
		size += x.sizes[key]
	}
	if size <= 0 || len(own) == 0 || r.inherited.Admit(x.routes[own[0]].route.Name.Namespace, size) {
		return true
	}
	for _, i := range own {
		r.narrowed[x.routes[i].route] = struct{}{}
	}
	return false
}

// reportNarrowed adds a message to the status of routes whose hosts have only their own rules.
func (r *resolver) reportNarrowed() {
	for i := range r.routes {
		if _, narrowed := r.narrowed[r.routes[i].Route]; !narrowed {
			continue
		}
		for k := range r.routes[i].Parents {
			if accepted := &r.routes[i].Parents[k].Accepted; accepted.OK && accepted.Message == "" {
				accepted.Message = fmt.Sprintf("Some hosts have no rules of less specific hostnames, because those for hosts of namespace %s exceed %d routes: use fewer hostnames.",
					r.routes[i].Route.Name.Namespace, authz.MaxRoutes)
			}
		}
	}
}
