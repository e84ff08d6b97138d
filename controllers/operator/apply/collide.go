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

// Plainly applies an object without comparing it first, without a hash in an annotation, and without Events.
func (a *Applier) Plainly(ctx context.Context, desired *unstructured.Unstructured) error {
	live, err := a.live(ctx, desired)
	if err != nil {
		return err
	}
	return a.apply(ctx, desired, live)
}

// apply applies an object. The API server merges ports by their numbers and wants their names to differ, so a port whose number somebody
// has changed stands in the way of the one that is applied: its number is put back first. Likewise it merges owners by their UIDs and
// wants one of them to be in control: an owner of the same name with the UID of another time, as in what was restored, is replaced.
func (a *Applier) apply(ctx context.Context, desired *unstructured.Unstructured, live map[string]any) error {
	err := a.client.Apply(ctx, client.ApplyConfigurationFromUnstructured(desired), client.FieldOwner(FieldManager), client.ForceOwnership)
	if !apierrors.IsInvalid(err) {
		return err
	}
	operations := append(collisions(desired.Object, live, ""), staleOwner(desired, live)...)
	if len(operations) == 0 {
		return err
	}
	// The places in lists are those of the object that was read.
	version, _, _ := unstructured.NestedString(live, "metadata", "resourceVersion")
	operations = append([]operation{{"test", "/metadata/resourceVersion", version}}, operations...)
	patch, err := json.Marshal(operations)
	if err != nil {
		return err
	}
	if err := a.client.Patch(ctx, desired.DeepCopy(), client.RawPatch(types.JSONPatchType, patch), client.FieldOwner(FieldManager)); err != nil {
		return err
	}
	return a.client.Apply(ctx, client.ApplyConfigurationFromUnstructured(desired), client.FieldOwner(FieldManager), client.ForceOwnership)
}

// operation is one of a JSON patch.
type operation struct {
	Op    string `json:"op"`
	Path  string `json:"path"`
	Value any    `json:"value"`
}

// staleOwner replaces the owners of a live object when one of them is who shall own it, at another time.
func staleOwner(desired *unstructured.Unstructured, live map[string]any) []operation {
	for _, was := range (&unstructured.Unstructured{Object: live}).GetOwnerReferences() {
		for _, is := range desired.GetOwnerReferences() {
			if was.Kind == is.Kind && was.Name == is.Name && was.UID != is.UID {
				owners, _, _ := unstructured.NestedSlice(desired.Object, "metadata", "ownerReferences")
				return []operation{{"add", "/metadata/ownerReferences", owners}}
			}
		}
	}
	return nil
}

// numbers are the fields by which lists of ports are merged.
var numbers = []string{"port", "containerPort", "protocol"}

// collisions put the numbers back of ports that have a rendered name and another number.
func collisions(desired, live any, path string) []operation {
	var found []operation
	switch desired := desired.(type) {
	case map[string]any:
		asMap, _ := live.(map[string]any)
		for key, value := range desired {
			found = append(found, collisions(value, asMap[key], path+"/"+key)...)
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
			was, _ := asList[i].(map[string]any)
			for _, key := range numbers {
				if asMap[key] != nil && asMap[key] != was[key] {
					found = append(found, operation{"add", below + "/" + key, asMap[key]})
				}
			}
			found = append(found, collisions(item, asList[i], below)...)
		}
	}
	return found
}
