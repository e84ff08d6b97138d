package catalog

import (
	"slices"

	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
)

// ServiceRoutes returns the routes of the Gateway API for the requests that clients of a namespace send to a port of a Service: the oldest first, then by
// kind and name. Routes of the clients' own namespace (consumer routes, GEP-1294) replace those of the Service's namespace for them. Other namespaces have
// no say. Routes of requests are merged. Of those of connections, TLSRoutes are merged, and without any, the first TCPRoute applies alone.
func (v *View) ServiceRoutes(clients string, service entity.Name, port inventory.Port) []*HTTPRoute {
	var producer, consumer []*HTTPRoute
	for _, route := range v.RoutesOf(service, port) {
		switch route.Name.Namespace {
		case service.Namespace:
			producer = append(producer, route)
		case clients:
			consumer = append(consumer, route)
		}
	}
	if len(consumer) > 0 {
		return mostSpecific(consumer)
	}
	return mostSpecific(producer)
}

// mostSpecific returns those of the routes of a port that apply together. Routes of requests and of connections do not have the same ports.
func mostSpecific(routes []*HTTPRoute) []*HTTPRoute {
	if len(routes) == 0 || !routes[0].Kind.RoutesConnections() {
		return routes
	}
	if byName := lists.Filter(routes, func(route *HTTPRoute) bool { return route.Kind == entity.KindTLSRoute }); len(byName) > 0 {
		return byName
	}
	return routes[:1]
}

// RoutesOf returns the routes of all namespaces of the mesh that have a port of a Service as their parent: the oldest first, then by kind and name.
func (v *View) RoutesOf(service entity.Name, port inventory.Port) []*HTTPRoute {
	routes := lists.Filter(v.routes(entity.DepSplit.Of(service)), func(route *HTTPRoute) bool {
		return route.Attaches(service, port) && v.InMesh(route.Name.Namespace)
	})
	slices.SortStableFunc(routes, func(a, b *HTTPRoute) int { return a.Created.Compare(b.Created) })
	return routes
}

// RoutedFrom returns the parents of the routes that have a Service among their backends and can apply to clients of a namespace.
func (v *View) RoutedFrom(backend entity.Name, clients string) []entity.Name {
	var services []entity.Name
	for _, route := range v.routes(entity.DepSplitsWith.Of(backend)) {
		for _, parent := range route.Parents {
			namespace := parent.Service.Namespace
			if parent.Service != (entity.Name{}) && (route.Name.Namespace == namespace || route.Name.Namespace == clients) {
				services = append(services, parent.Service)
			}
		}
	}
	return services
}

// HasConsumerRoutes reports whether a namespace has routes for Services of other namespaces. Its clients then differ from all others.
func (v *View) HasConsumerRoutes(namespace string) bool {
	return len(v.routes(entity.DepConsumerRoutes.In(namespace))) > 0
}

// routes returns the routes of all kinds with a dependency.
func (v *View) routes(dep entity.Dep) []*HTTPRoute {
	return lists.FlatMap(entity.RouteKinds(), func(kind entity.Kind) []*HTTPRoute { return Find[*HTTPRoute](v, kind, dep) })
}

// GrantsBackend reports whether a ReferenceGrant permits a route to send requests to a Service of another namespace.
func (v *View) GrantsBackend(route entity.Ref, service entity.Name) bool {
	from := GrantedReferrer{Group: "gateway.networking.k8s.io", Kind: route.Kind.APIName(), Namespace: route.Name.Namespace}
	return v.Grants(from, "Service", service)
}

// RouteCount returns how many routes of the Gateway API have a Service as their parent. It records no dependency: whoever asks also reads the routes.
func (v *View) RouteCount(service entity.Name) int {
	count := 0
	for _, kind := range entity.RouteKinds() {
		count += len(v.catalog.names(kind, entity.DepSplit.Of(service)))
	}
	return count
}
