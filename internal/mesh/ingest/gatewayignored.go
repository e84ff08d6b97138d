package ingest

import (
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
)

// ignoredByGateways are the fields of a Gateway without effect, sorted.
func ignoredByGateways() []string {
	return []string{
		"spec.addresses", "spec.allowedListeners", "spec.defaultScope", catalog.InfrastructureAnnotations, catalog.InfrastructureLabels,
		"spec.listeners.tls.options", "spec.tls.backend",
	}
}

// ignoredByRoutes are the fields of a route without effect, sorted.
func ignoredByRoutes() []string {
	return []string{"spec.useDefaultGateways"}
}

// setFields returns the paths that an object sets.
func setFields(u *unstructured.Unstructured, paths []string) []string {
	return lists.Filter(paths, func(path string) bool { return isSet(u.Object, strings.Split(path, ".")) })
}

// isSet reports whether a value has a field, in any element of lists. Empty values count as absent.
func isSet(value any, path []string) bool {
	switch v := value.(type) {
	case nil:
		return false
	case map[string]any:
		if len(path) > 0 {
			return isSet(v[path[0]], path[1:])
		}
		return len(v) > 0
	case []any:
		if len(path) > 0 {
			return slices.ContainsFunc(v, func(element any) bool { return isSet(element, path) })
		}
		return len(v) > 0
	}
	return len(path) == 0 && value != ""
}
