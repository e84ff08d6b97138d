package checks

import (
	"context"
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// clientPolicies are kinds that concern clients, with the path of their sources. OSM accepts sources of any namespace.
var clientPolicies = []struct {
	kind string
	path []string
}{
	{"Egress", []string{"spec", "sources"}},
	{"Retry", []string{"spec", "source"}},
}

// foreignSources finds policies for clients of another namespace, which are in effect in OSM and not in this mesh.
func (s Subject) foreignSources(ctx context.Context) []Result {
	var results []Result
	for _, policy := range clientPolicies {
		list := &unstructured.UnstructuredList{}
		list.SetGroupVersionKind(schema.GroupVersionKind{Group: "policy.openservicemesh.io", Version: "v1alpha1", Kind: policy.kind})
		err := s.Client.List(ctx, list)
		if meta.IsNoMatchError(err) || apierrors.IsNotFound(err) {
			continue
		}
		if err != nil {
			results = append(results, unreadable("objects of kind "+policy.kind, err))
			continue
		}
		var found []string
		for i := range list.Items {
			if hasForeignSource(&list.Items[i], policy.path) {
				found = append(found, list.Items[i].GetNamespace()+"/"+list.Items[i].GetName())
			}
		}
		if len(found) > 0 {
			results = append(results, warning(fmt.Sprintf("create each %s in the namespace of its sources", policy.kind),
				"sources of another namespace have no effect in this mesh, and these objects of kind %s have some: %s", policy.kind, firstThree(found)))
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
