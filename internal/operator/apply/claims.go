package apply

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// keepClaimSize keeps the size of a live PersistentVolumeClaim that somebody has enlarged. A volume cannot shrink, so the API server would reject
// the rendered size, again and again.
func keepClaimSize(desired *unstructured.Unstructured, live map[string]any) {
	if desired.GetKind() != "PersistentVolumeClaim" || live == nil {
		return
	}
	path := []string{"spec", "resources", "requests", "storage"}
	rendered, _, _ := unstructured.NestedString(desired.Object, path...)
	current, _, _ := unstructured.NestedString(live, path...)
	request, err := resource.ParseQuantity(rendered)
	if err != nil {
		return
	}
	if size, err := resource.ParseQuantity(current); err == nil && size.Cmp(request) > 0 {
		// The parents of the field exist: it was just read.
		_ = unstructured.SetNestedField(desired.Object, current, path...)
	}
}

// ReplicasManager owns spec.replicas of a Deployment between the operator and its autoscaler. Without an owner the field would
// fall back to its default, one pod.
const ReplicasManager = "osm-operator-replicas"

// keepReplicas gives spec.replicas of a live Deployment to ReplicasManager when the next configuration leaves it out.
func (a *Applier) keepReplicas(ctx context.Context, desired *unstructured.Unstructured, live map[string]any) error {
	if desired.GetKind() != "Deployment" || live == nil {
		return nil
	}
	if _, declared, _ := unstructured.NestedFieldNoCopy(desired.Object, "spec", "replicas"); declared {
		return nil
	}
	replicas, found, err := unstructured.NestedInt64(live, "spec", "replicas")
	if err != nil || !found {
		return err
	}
	keep := &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{"replicas": replicas}}}
	keep.SetGroupVersionKind(desired.GroupVersionKind())
	keep.SetNamespace(desired.GetNamespace())
	keep.SetName(desired.GetName())
	// Without force: a conflict means that the number has just changed, and the next reconciliation keeps the new one.
	if err := a.client.Apply(ctx, client.ApplyConfigurationFromUnstructured(keep), client.FieldOwner(ReplicasManager)); err != nil {
		return objectError(desired, "applied", fmt.Errorf("its number of pods cannot be handed to its autoscaler: %w", err))
	}
	return nil
}
