package status

import (
	"context"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/controllers/controlplane/gatewayapi"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/gateway"
	"github.com/openservicemesh/osm-operator/internal/mesh/ingest"
	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
)

// replacedSplit returns the problem that a route of the Gateway API applies instead of a TrafficSplit, and whether it does on all ports.
func replacedSplit(ctx context.Context, reader client.Reader, split *catalog.TrafficSplit) (problems []ingest.Problem, everywhere bool, err error) {
	root, err := getService(ctx, reader, split.Root)
	if err != nil || root == nil {
		return nil, false, err
	}
	service, _ := ingest.Service(root)
	var routes []*catalog.HTTPRoute
	for _, source := range routeSources("") {
		kind := source.Object.GetObjectKind().GroupVersionKind()
		found, err := listMatching(ctx, reader, kind, split.Name.Namespace, hasParent(split.Root), readRoute(source))
		if err != nil {
			return nil, false, err
		}
		routes = append(routes, found...)
	}
	found, replaced := gateway.SplitReplacement(service, routes)
	if !replaced {
		return nil, false, nil
	}
	return []ingest.Problem{conflict("%s", found.Message(split.Root))}, len(found.Ports) == 0, nil
}

// hasParent returns a filter for the routes that have a Service as a parent.
func hasParent(service catalog.Name) func(*unstructured.Unstructured) bool {
	return func(route *unstructured.Unstructured) bool {
		isService := func(parent catalog.RouteParent) bool { return parent.Service == service }
		parents, _, _ := unstructured.NestedFieldNoCopy(route.Object, "spec", "parentRefs")
		return contains(parents, service.Name) && slices.ContainsFunc(gatewayapi.ReadableParents(route), isService)
	}
}

// splitBy returns a filter for the TrafficSplits of the Services that a route has as parents. Only those in its namespace can be affected. It reads a split
// only if its root has the name of such a Service, because it runs for each pair of them when the control plane starts.
func splitBy(route client.Object) func(*unstructured.Unstructured) bool {
	roots := map[catalog.Name]bool{}
	if typed, ok := route.(*unstructured.Unstructured); ok {
		for _, parent := range gatewayapi.ReadableParents(typed) {
			roots[parent.Service] = parent.Service.Namespace == route.GetNamespace()
		}
	}
	return func(object *unstructured.Unstructured) bool {
		service, _, _ := unstructured.NestedString(object.Object, "spec", "service")
		name, _, _ := strings.Cut(service, ".")
		if !roots[catalog.Name{Namespace: object.GetNamespace(), Name: name}] {
			return false
		}
		split, _ := ingest.TrafficSplit(object)
		return split != nil && roots[split.Root]
	}
}

// amongSplitsAndRoutes compares a TrafficSplit with the others of its namespace, and with the routes of its root.
func amongSplitsAndRoutes(ctx context.Context, reader client.Reader, object *unstructured.Unstructured) []ingest.Problem {
	split, _ := ingest.TrafficSplit(object)
	if split == nil {
		return nil
	}
	problems, everywhere, _ := replacedSplit(ctx, reader, split)
	if everywhere {
		return problems
	}
	return append(problems, amongAll(kinds.TrafficSplit, ingest.TrafficSplit, splitConflicts)(ctx, reader, object)...)
}
