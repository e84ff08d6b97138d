package scope

import (
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/gateway"
)

// gatewayConnections are the routes of a listener for connections, one for each TLSRoute or TCPRoute. Server names without a route have one without a
// Route and Backends: without it, a listener with a wildcard would have their connections.
func (o gatewayBuilder) gatewayConnections(l *gateway.Listener) []ConnectionRoute {
	var routes []ConnectionRoute
	positions := map[entity.Ref]int{}
	for _, host := range l.Hosts {
		var ref entity.Ref
		if len(host.Rules) > 0 {
			ref = host.Rules[0].Route.Ref()
		} else if host.Domain == "*" {
			continue
		}
		i, known := positions[ref]
		if !known {
			i = len(routes)
			positions[ref] = i
			routes = append(routes, ConnectionRoute{Route: ref, Backends: o.connectionBackends(host.Rules)})
		}
		if host.Domain != "*" {
			routes[i].ServerNames = append(routes[i].ServerNames, host.Domain)
		}
	}
	return withoutAnyName(routes, l)
}

// withoutAnyName lets a route for all server names have no others, which it includes unless another route has them.
func withoutAnyName(routes []ConnectionRoute, l *gateway.Listener) []ConnectionRoute {
	for _, host := range l.Hosts {
		if host.Domain != "*" || len(host.Rules) == 0 {
			continue
		}
		for i := range routes {
			if routes[i].Route == host.Rules[0].Route.Ref() {
				routes[i].ServerNames = nil
			}
		}
	}
	return routes
}

// connectionBackends are the backends of the only rule, if there is one. Without a policy that allows the gateway to call any of them, there are none.
func (o gatewayBuilder) connectionBackends(rules []gateway.Rule) []Backend {
	var all []Backend
	allowed := false
	for _, rule := range rules {
		for _, backend := range rule.Backends {
			backends, callable := o.gatewayBackends(backend, rule.Route.Kind)
			all, allowed = append(all, backends...), allowed || callable
		}
	}
	if !allowed {
		return nil
	}
	return all
}
