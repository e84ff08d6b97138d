package apply

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// apply applies an object, and resolves two collisions that the API server rejects as invalid:
//   - Ports merge by number and need distinct names. A port whose number was changed collides with the applied one of that name.
//   - Owners merge by UID and need one controller. An owner of the same name with an old UID, as in a restored backup, collides.
func (a *Applier) apply(ctx context.Context, desired *unstructured.Unstructured, live map[string]any) error {
	apply := func() error {
		return a.client.Apply(ctx, client.ApplyConfigurationFromUnstructured(desired), client.FieldOwner(FieldManager), client.ForceOwnership)
	}
	err := apply()
	if apierrors.IsInvalid(err) {
		if operations := append(portCollisions(desired.Object, live, ""), ownerCollisions(desired, live)...); len(operations) > 0 {
			if err = a.patch(ctx, desired, live, operations); err == nil {
				err = apply()
			}
		}
	}
	if err != nil {
		return objectError(desired, "applied", err)
	}
	return nil
}

// patch sends a JSON patch that fails when the live object has changed since it was read: list indices would be wrong.
func (a *Applier) patch(ctx context.Context, desired *unstructured.Unstructured, live map[string]any, operations []operation) error {
	version, _, _ := unstructured.NestedString(live, "metadata", "resourceVersion")
	patch, err := json.Marshal(append([]operation{{"test", "/metadata/resourceVersion", version}}, operations...))
	if err != nil {
		return err
	}
	return a.client.Patch(ctx, desired.DeepCopy(), client.RawPatch(types.JSONPatchType, patch), client.FieldOwner(FieldManager))
}

// operation is one operation of a JSON patch.
type operation struct {
	Op    string `json:"op"`
	Path  string `json:"path"`
	Value any    `json:"value"`
}

// ownerCollisions replaces the owners of a live object when one of them has the desired kind and name but another UID.
func ownerCollisions(desired *unstructured.Unstructured, live map[string]any) []operation {
	for _, current := range (&unstructured.Unstructured{Object: live}).GetOwnerReferences() {
		for _, owner := range desired.GetOwnerReferences() {
			if current.Kind == owner.Kind && current.Name == owner.Name && current.UID != owner.UID {
				owners, _, _ := unstructured.NestedSlice(desired.Object, "metadata", "ownerReferences")
				return []operation{{"add", "/metadata/ownerReferences", owners}}
			}
		}
	}
	return nil
}

// portKeys are the merge keys of lists of ports.
var portKeys = []string{"port", "containerPort", "protocol"}

// portCollisions resets the merge keys of live ports that have a rendered name and another key.
func portCollisions(desired, live any, path string) []operation {
	var found []operation
	switch desired := desired.(type) {
	case map[string]any:
		asMap, _ := live.(map[string]any)
		for key, value := range desired {
			found = append(found, portCollisions(value, asMap[key], path+"/"+key)...)
		}
	case []any:
		asList, _ := live.([]any)
		for _, item := range desired {
			asMap, _ := item.(map[string]any)
			i := slices.IndexFunc(asList, func(other any) bool {
				candidate, ok := other.(map[string]any)
				return ok && asMap["name"] != nil && candidate["name"] == asMap["name"]
			})
			if i < 0 {
				continue
			}
			below := fmt.Sprintf("%s/%d", path, i)
			current, _ := asList[i].(map[string]any)
			for _, key := range portKeys {
				if asMap[key] != nil && asMap[key] != current[key] {
					found = append(found, operation{"add", below + "/" + key, asMap[key]})
				}
			}
			found = append(found, portCollisions(item, asList[i], below)...)
		}
	}
	return found
}

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
