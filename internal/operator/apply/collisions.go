package apply

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
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
