package checks

import (
	"context"
	"fmt"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
)

// clientPolicies returns the kinds that concern clients, sorted. OSM accepts sources of any namespace.
func clientPolicies() []kinds.Kind {
	policies := slices.DeleteFunc(kinds.All(), func(k kinds.Kind) bool { return k.Clients == nil })
	slices.SortFunc(policies, func(a, b kinds.Kind) int { return strings.Compare(a.Kind, b.Kind) })
	return policies
}

// foreignSources finds policies for clients of another namespace, which are in effect in OSM and not in this mesh.
func (s Subject) foreignSources(ctx context.Context) []Result {
	var results []Result
	for _, policy := range clientPolicies() {
		list := &unstructured.UnstructuredList{}
		list.SetGroupVersionKind(policy.GroupVersionKind)
		err := s.Client.List(ctx, list)
		if meta.IsNoMatchError(err) || apierrors.IsNotFound(err) {
			continue
		}
		if err != nil {
			results = append(results, unreadable("objects of kind "+policy.Kind, err))
			continue
		}
		var found []string
		for i := range list.Items {
			if hasForeignSource(&list.Items[i], policy.Clients) {
				found = append(found, list.Items[i].GetNamespace()+"/"+list.Items[i].GetName())
			}
		}
		if len(found) > 0 {
			results = append(results, warning(fmt.Sprintf("create each %s in the namespace of its sources", policy.Kind),
				"sources of another namespace have no effect in this mesh, and these objects of kind %s have some: %s", policy.Kind, firstThree(found)))
		}
	}
	return results
}

// hasForeignSource returns true if a source of the policy is in another namespace. path leads to one source or to a list.
func hasForeignSource(policy *unstructured.Unstructured, path []string) bool {
	value, _, _ := unstructured.NestedFieldNoCopy(policy.Object, path...)
	sources, isList := value.([]any)
	if !isList {
		sources = []any{value}
	}
	return slices.ContainsFunc(sources, func(source any) bool {
		content, _ := source.(map[string]any)
		namespace, found := content["namespace"].(string)
		return found && namespace != policy.GetNamespace()
	})
}
