package reference

import (
	"k8s.io/apimachinery/pkg/types"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// Shares returns the weights of the Services among which a request, or a connection, is divided. The empty name has the weight of backends that a
// route cannot use.
func (c *Cluster) Shares(r Request) map[types.NamespacedName]int {
	service := c.service(r.Service)
	port := *portOf(service, r.Port)
	weights := map[types.NamespacedName]int{}
	add := func(shares []share) {
		for _, s := range shares {
			if s.weight > 0 {
				weights[types.NamespacedName{Namespace: s.service.Namespace, Name: s.service.Name}] += s.weight
			}
		}
	}
	addRoute := func(route origin, refs []gatewayv1.HTTPBackendRef) {
		usable, broken := c.backends(route, service, refs)
		add(usable)
		if broken {
			weights[types.NamespacedName{}] = 1
		}
	}
	routes, ofConnections := c.routesFor(r.Source.Namespace, service, port), c.connectionRoutesFor(r.Source.Namespace, service, port)
	switch {
	case len(routes) > 0:
		if applied, ok := selectRule(r, routes); ok {
			addRoute(originOf(applied.route), applied.rule.BackendRefs)
		}
	case len(ofConnections) > 0:
		if applied, ok := selectConnectionRoute(r, ofConnections); ok {
			addRoute(applied.origin, applied.refs)
		}
	default:
		add(c.applies(c.rules(service, port), asSent(r)).shares)
	}
	return weights
}
