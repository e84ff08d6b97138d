package revision

import (
	"context"
	"fmt"

	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/names"
)

// prune deletes disruption budgets that the revision owns and no longer renders. They are the one kind of object that comes and
// goes with the parameters of a mesh; everything else that a version has, it always has.
func (r *Reconciler) prune(ctx context.Context, revision *v1alpha1.MeshRevision, rendered []*unstructured.Unstructured) error {
	keep := map[string]bool{}
	for _, object := range rendered {
		if object.GetKind() == "PodDisruptionBudget" {
			keep[object.GetName()] = true
		}
	}
	var budgets policyv1.PodDisruptionBudgetList
	err := r.Client.List(ctx, &budgets, client.InNamespace(revision.Spec.Namespace), client.MatchingLabels{names.MeshLabel: revision.Spec.Mesh})
	if err != nil {
		return fmt.Errorf("the disruption budgets of the control plane cannot be listed: %w", err)
	}
	for i := range budgets.Items {
		budget := &budgets.Items[i]
		if keep[budget.Name] || !metav1.IsControlledBy(budget, revision) {
			continue
		}
		if err := client.IgnoreNotFound(r.Client.Delete(ctx, budget)); err != nil {
			return fmt.Errorf("the disruption budget %s, which is no longer needed, cannot be deleted: %w", budget.Name, err)
		}
	}
	return nil
}
