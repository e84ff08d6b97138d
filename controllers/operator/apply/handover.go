package apply

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// ReplicasManager owns the number of pods of a Deployment from the moment at which the operator no longer decides it until an autoscaler
// changes it. Without an owner the field would fall back to its default, one pod.
const ReplicasManager = "osm-operator-replicas"

// handOver keeps the number of pods of a live Deployment when what is applied next says none.
func (a *Applier) handOver(ctx context.Context, desired *unstructured.Unstructured, live map[string]any) error {
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
	// Without force: when the number was changed a moment ago, this is tried again with the new one.
	if err := a.client.Apply(ctx, client.ApplyConfigurationFromUnstructured(keep), client.FieldOwner(ReplicasManager)); err != nil {
		return fmt.Errorf("the number of pods of %s cannot be handed to its autoscaler: %w", describe(desired), err)
	}
	return nil
}
