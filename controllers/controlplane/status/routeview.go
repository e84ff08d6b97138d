package status

import (
	"context"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/controllers/controlplane/gatewayapi"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/ingest"
	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
)

// routeView returns a view of what one route refers to: namespaces, Services and ReferenceGrants. It costs the same however many routes there are, except
// that a route of connections competes with those of its namespace for the same Services.
func routeView(ctx context.Context, reader client.Reader, mesh string, route *catalog.HTTPRoute) (*catalog.View, error) {
	services, namespaces := referredServices(route)
	objects := catalog.New()
	add := func(entry catalog.Entry) { objects.Apply([]catalog.Change{catalog.Set(entry)}) }
	for namespace := range namespaces {
		var found corev1.Namespace
		if err := reader.Get(ctx, client.ObjectKey{Name: namespace}, &found); err != nil {
			if apierrors.IsNotFound(err) {
				continue
			}
			return nil, err
		}
		entry, _ := ingest.Namespace(&found, mesh)
		add(entry)
		if namespace == route.Name.Namespace {
			continue
		}
		grants, err := listMatching(ctx, reader, kinds.ReferenceGrant, namespace, grantsTo(route.Name.Namespace), ingest.ReferenceGrant)
		if err != nil {
			return nil, err
		}
		for _, grant := range grants {
			add(grant)
		}
	}
	for name := range services {
		service, err := getService(ctx, reader, name)
		if err != nil {
			return nil, err
		}
		if service != nil {
			entry, _ := ingest.Service(service)
			add(entry)
		}
	}
	if !route.Kind.RoutesConnections() {
		return objects.View(), nil
	}
	competing, err := competingRoutes(ctx, reader, mesh, route)
	for _, other := range competing {
		add(other)
	}
	return objects.View(), err
}

// connectionSources returns the kinds of routes of which one can replace others on a port.
func connectionSources(mesh string) []kinds.Source {
	return slices.DeleteFunc(routeSources(mesh), func(s kinds.Source) bool { return !s.Kind.RoutesConnections() })
}

// competingRoutes returns the routes of connections in the namespace of one that have a parent in common with it, and the route itself.
func competingRoutes(ctx context.Context, reader client.Reader, mesh string, route *catalog.HTTPRoute) ([]*catalog.HTTPRoute, error) {
	var routes []*catalog.HTTPRoute
	for _, source := range connectionSources(mesh) {
		found, err := listMatching(ctx, reader, source.Object.GetObjectKind().GroupVersionKind(), route.Name.Namespace, withParentOf(route.Parents), readRoute(source))
		if err != nil {
			return nil, err
		}
		routes = append(routes, found...)
	}
	return routes, nil
}

// readRoute returns a function that reads routes of a kind.
func readRoute(source kinds.Source) func(*unstructured.Unstructured) (*catalog.HTTPRoute, []ingest.Problem) {
	return func(u *unstructured.Unstructured) (*catalog.HTTPRoute, []ingest.Problem) {
		entry, problems := source.Ingest(u)
		route, _ := entry.(*catalog.HTTPRoute)
		return route, problems
	}
}

// sharingParents returns a filter for the routes that have a Service among their parents that the changed route has too.
func sharingParents(route client.Object) func(*unstructured.Unstructured) bool {
	typed, ok := route.(*unstructured.Unstructured)
	if !ok {
		return func(*unstructured.Unstructured) bool { return false }
	}
	return withParentOf(gatewayapi.ReadableParents(typed))
}

// withParentOf returns a filter for the routes that have one of the Services as a parent.
func withParentOf(parents []catalog.RouteParent) func(*unstructured.Unstructured) bool {
	return func(route *unstructured.Unstructured) bool {
		return slices.ContainsFunc(parents, func(p catalog.RouteParent) bool { return p.Service != (catalog.Name{}) && hasParent(p.Service)(route) })
	}
}

// grantsTo returns a filter for the ReferenceGrants that name a namespace. Others need not be read.
func grantsTo(namespace string) func(*unstructured.Unstructured) bool {
	return func(grant *unstructured.Unstructured) bool { return contains(grant.Object["spec"], namespace) }
}

// referredServices returns the Services that a route refers to, and their namespaces and its own.
func referredServices(route *catalog.HTTPRoute) (services map[catalog.Name]struct{}, namespaces map[string]struct{}) {
	services, namespaces = map[catalog.Name]struct{}{}, map[string]struct{}{route.Name.Namespace: {}}
	add := func(name catalog.Name) {
		if name != (catalog.Name{}) {
			services[name], namespaces[name.Namespace] = struct{}{}, struct{}{}
		}
	}
	for _, parent := range route.Parents {
		add(parent.Service)
	}
	for i := range route.Rules {
		for _, backend := range route.Rules[i].References() {
			add(backend.Service)
		}
	}
	return services, namespaces
}
