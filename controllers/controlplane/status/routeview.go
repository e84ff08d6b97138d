package status

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/ingest"
	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
)

// routeView returns a view of what one route refers to: namespaces, Services and ReferenceGrants. It costs the same however many routes there are.
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
	return objects.View(), nil
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
