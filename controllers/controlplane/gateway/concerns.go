package gateway

import (
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// concernsGateways reports whether a route has, or had when its status was written, a parent that is not a Service. A mesh can have thousands of routes
// for Services, and a change of one must not reconcile all Gateways. It reads the objects as they are, without a copy.
func concernsGateways(route *unstructured.Unstructured) bool {
	parents, _, _ := unstructured.NestedFieldNoCopy(route.Object, "spec", "parentRefs")
	entries, _, _ := unstructured.NestedFieldNoCopy(route.Object, "status", "parents")
	return slices.ContainsFunc(items(parents), isNoService) || slices.ContainsFunc(items(entries), func(entry any) bool {
		fields, _ := entry.(map[string]any)
		return isNoService(fields["parentRef"])
	})
}

func items(list any) []any {
	typed, _ := list.([]any)
	return typed
}

func isNoService(parent any) bool {
	fields, _ := parent.(map[string]any)
	return fields["kind"] != "Service" || fields["group"] != ""
}
