package validate

import (
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/openservicemesh/osm-operator/internal/mesh/ingest"
	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
)

// Object validates an object by the rules of its kind, whatever its version. Kinds without rules have no problems.
func Object(u *unstructured.Unstructured) []ingest.Problem {
	kind, found := kinds.Lookup(u.GroupVersionKind().GroupKind())
	switch {
	case !found:
		return nil
	case kind.GroupVersionKind == kinds.MeshConfigs:
		return meshConfig(u)
	case kind.GroupVersionKind == kinds.HTTPRouteGroup && countMatches(u) > maxMatches:
		return []ingest.Problem{rejection(ingest.ReasonMalformed, "spec.matches has %d matches: use at most %d, or several HTTPRouteGroups.", countMatches(u), maxMatches)}
	}
	return kind.Validate(u)
}

// maxMatches is the bound of the schema. A forged review has not passed the schema.
const maxMatches = 1024

// countMatches returns how many matches an HTTPRouteGroup has. Of a group with too many, no expression is parsed.
func countMatches(u *unstructured.Unstructured) int {
	matches, _, _ := unstructured.NestedFieldNoCopy(u.Object, "spec", "matches")
	list, _ := matches.([]any)
	return len(list)
}

// Split separates problems that reject an object from warnings.
func Split(problems []ingest.Problem) (rejections, warnings []string) {
	for _, p := range problems {
		if p.Warning {
			warnings = append(warnings, p.Message)
		} else {
			rejections = append(rejections, p.Message)
		}
	}
	return rejections, warnings
}
