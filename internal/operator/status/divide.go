package status

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/apply"
)

// isLegacy is true for the entry of an operator that wrote the whole status by merge patches. What that entry owns no apply can remove.
func isLegacy(entry metav1.ManagedFieldsEntry) bool {
	return entry.Manager == apply.FieldManager && entry.Operation == metav1.ManagedFieldsOperationUpdate && entry.Subresource == "status"
}

// divide gives the fields of the status that an earlier operator owns to their owners, once. A change of the Mesh in between is a
// conflict, and the caller tries again.
func (w Writer) divide(ctx context.Context, mesh *v1alpha1.Mesh) error {
	i := slices.IndexFunc(mesh.ManagedFields, isLegacy)
	if i < 0 {
		return nil
	}
	entries, err := divided(mesh.ManagedFields, i)
	if err != nil {
		return fmt.Errorf("the field managers of Mesh %s cannot be read: %w", mesh.Name, err)
	}
	patch, err := json.Marshal([]map[string]any{
		{"op": "test", "path": "/metadata/resourceVersion", "value": mesh.ResourceVersion},
		{"op": "replace", "path": "/metadata/managedFields", "value": entries},
	})
	if err != nil {
		return err
	}
	object := &v1alpha1.Mesh{ObjectMeta: metav1.ObjectMeta{Name: mesh.Name}}
	if err := w.Client.Patch(ctx, object, client.RawPatch(types.JSONPatchType, patch)); err != nil {
		return fmt.Errorf("the field managers of Mesh %s cannot be changed: %w", mesh.Name, err)
	}
	return nil
}

// divided replaces the legacy entry by one for each owner that has fields in it.
func divided(entries []metav1.ManagedFieldsEntry, legacy int) ([]metav1.ManagedFieldsEntry, error) {
	old := entries[legacy]
	fields, err := setOf(old)
	if err != nil {
		return nil, err
	}
	parts := map[string]*fieldpath.Set{}
	fields.Iterate(func(path fieldpath.Path) {
		manager := ownerOf(path).Manager
		if parts[manager] == nil {
			parts[manager] = fieldpath.NewSet()
		}
		parts[manager].Insert(path.Copy())
	})
	left := slices.Delete(slices.Clone(entries), legacy, legacy+1)
	for _, owner := range Owners() {
		part := parts[owner.Manager]
		if part == nil {
			continue
		}
		entry := old
		entry.Manager, entry.Operation = owner.Manager, metav1.ManagedFieldsOperationApply
		isOwn := func(e metav1.ManagedFieldsEntry) bool {
			return e.Manager == entry.Manager && e.Operation == entry.Operation && e.Subresource == entry.Subresource
		}
		if i := slices.IndexFunc(left, isOwn); i >= 0 {
			own, err := setOf(left[i])
			if err != nil {
				return nil, err
			}
			part = part.Union(own)
			left = slices.Delete(left, i, i+1)
		}
		text, err := part.ToJSON()
		if err != nil {
			return nil, err
		}
		entry.FieldsV1 = metav1.NewFieldsV1(string(text))
		left = append(left, entry)
	}
	return left, nil
}

// setOf are the fields of an entry.
func setOf(entry metav1.ManagedFieldsEntry) (*fieldpath.Set, error) {
	set := fieldpath.NewSet()
	if entry.FieldsV1 == nil {
		return set, nil
	}
	return set, set.FromJSON(bytes.NewReader([]byte(entry.FieldsV1.GetRawString())))
}

// ownerOf is the owner of a field such as status.upgrade.phase, or status.conditions[type="Ready"].reason.
func ownerOf(path fieldpath.Path) Owner {
	owners := Owners()
	if len(path) < 2 || path[1].FieldName == nil {
		return owners[0]
	}
	field, condition := *path[1].FieldName, ""
	if field == "conditions" && len(path) > 2 && path[2].Key != nil {
		for _, key := range *path[2].Key {
			if key.Name == "type" {
				condition = key.Value.AsString()
			}
		}
	}
	for _, owner := range owners {
		if slices.Contains(owner.Fields, field) || condition != "" && slices.Contains(owner.Conditions, condition) {
			return owner
		}
	}
	return owners[0]
}
