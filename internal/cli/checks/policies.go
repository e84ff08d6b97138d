package checks

import (
	"context"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
	"github.com/openservicemesh/osm-operator/internal/mesh/validate"
)

// Policies checks whether all policies are in force.
func (s Subject) Policies(ctx context.Context) []Group {
	group := Group{Title: "Policies"}
	count := 0
	for _, source := range kinds.Policies() {
		kind := source.Object.GetObjectKind().GroupVersionKind()
		list := &unstructured.UnstructuredList{}
		list.SetGroupVersionKind(kind)
		err := s.Client.List(ctx, list)
		if meta.IsNoMatchError(err) {
			group.Results = append(group.Results, failed("the operator installs the CRD with the first Mesh", "the cluster has no CRD for kind %s", kind.Kind))
			continue
		}
		if err != nil {
			group.Results = append(group.Results, unreadable("objects of kind "+kind.Kind, err))
			continue
		}
		for i := range list.Items {
			count++
			group.Results = append(group.Results, policyResults(&list.Items[i])...)
		}
	}
	group.Results = append(group.Results, s.withoutEffect(ctx)...)
	if len(group.Results) == 0 {
		group.Results = append(group.Results, ok("%d policies, all in force", count))
	}
	return []Group{group}
}

// policyResults reports the False conditions of a policy. Without conditions, it applies the admission rules.
func policyResults(object *unstructured.Unstructured) []Result {
	name := object.GetKind() + " " + object.GetNamespace() + "/" + object.GetName()
	if conditions, err := kinds.ConditionsOf(object); err == nil && len(conditions) > 0 {
		var results []Result
		for _, c := range conditions {
			// Ready repeats one of the others.
			if c.Status == metav1.ConditionFalse && c.Type != kinds.ConditionReady {
				results = append(results, failed("", "%s: %s: %s", name, c.Reason, c.Message))
			}
		}
		return results
	}
	var results []Result
	for _, p := range validate.Object(object) {
		r := failed("", "%s: %s: %s", name, p.Reason, p.StatusMessage())
		if p.Warning {
			r.Status = Warning
		}
		results = append(results, r)
	}
	return results
}
