package revision

import (
	"context"
	"fmt"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/names"
)

// prune deletes disruption budgets and autoscalers that are not rendered any more. They are the kinds of objects that come and go with
// the parameters of a mesh; everything else that a version has, it always has.
func (r *Reconciler) prune(ctx context.Context, revision *v1alpha1.MeshRevision, rendered []*unstructured.Unstructured) error {
	keep := map[string]bool{}
	for _, object := range rendered {
		keep[object.GetKind()+" "+object.GetName()] = true
	}
	for kind, list := range map[string]client.ObjectList{
		"PodDisruptionBudget": &policyv1.PodDisruptionBudgetList{}, "HorizontalPodAutoscaler": &autoscalingv2.HorizontalPodAutoscalerList{},
	} {
		err := r.Client.List(ctx, list, client.InNamespace(revision.Spec.Namespace), client.MatchingLabels{names.MeshLabel: revision.Spec.Mesh})
		if err != nil {
			return fmt.Errorf("the objects of kind %s of the control plane cannot be listed: %w", kind, err)
		}
		items, err := meta.ExtractList(list)
		if err != nil {
			return err
		}
		for _, item := range items {
			object, ok := item.(client.Object)
			// What another revision has left at a Deployment that this one runs now is this one's to remove.
			if !ok || keep[kind+" "+object.GetName()] || !metav1.IsControlledBy(object, revision) && !keep["Deployment "+object.GetName()] {
				continue
			}
			if err := client.IgnoreNotFound(r.Client.Delete(ctx, object)); err != nil {
				return fmt.Errorf("the %s %s, which is no longer needed, cannot be deleted: %w", kind, object.GetName(), err)
			}
		}
	}
	return nil
}
