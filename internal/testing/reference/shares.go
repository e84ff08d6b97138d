package reference

import (
	"k8s.io/apimachinery/pkg/types"
)

// Shares returns the weights of the Services among which a request is divided. The empty name has the weight of backends that a route cannot use.
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
	routes := c.routesFor(r.Source.Namespace, service, port)
	if len(routes) == 0 {
		add(c.applies(c.rules(service, port), asSent(r)).shares)
		return weights
	}
	applied, ok := selectRule(r, routes)
	if !ok {
		return weights
	}
	usable, broken := c.backends(originOf(applied.route), applied.rule.BackendRefs)
	add(usable)
	if broken {
		weights[types.NamespacedName{}] = 1
	}
	return weights
}
