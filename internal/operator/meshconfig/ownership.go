package meshconfig

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
)

// appliedFields lists the fields below spec that a manager owns by server-side apply, as sorted paths. An item of a
// list counts as the whole list.
func appliedFields(entries []metav1.ManagedFieldsEntry, manager string) ([]string, error) {
	var paths []string
	for _, entry := range entries {
		if entry.Manager != manager || entry.Operation != metav1.ManagedFieldsOperationApply || entry.Subresource != "" || entry.FieldsV1 == nil {
			continue
		}
		set := fieldpath.NewSet()
		if err := set.FromJSON(bytes.NewReader(entry.FieldsV1.GetRawBytes())); err != nil {
			return nil, fmt.Errorf("the fields that %s owns cannot be read: %w", manager, err)
		}
		set.Leaves().Iterate(func(path fieldpath.Path) {
			if fields := fieldNames(path); len(fields) > 0 && fields[0] == "spec" {
				paths = append(paths, strings.Join(fields, "."))
			}
		})
	}
	slices.Sort(paths)
	return slices.Compact(paths), nil
}

// fieldNames returns the names of the fields in a path, up to the first item of a list.
func fieldNames(path fieldpath.Path) []string {
	var fields []string
	for _, element := range path {
		if element.FieldName == nil {
			break
		}
		fields = append(fields, *element.FieldName)
	}
	return fields
}

// leafFields lists the fields of an object below spec, as sorted paths.
func leafFields(object *unstructured.Unstructured) []string {
	var paths []string
	var walk func(value any, path []string)
	walk = func(value any, path []string) {
		if content, ok := value.(map[string]any); ok && len(content) > 0 {
			for key, below := range content {
				walk(below, append(slices.Clone(path), key))
			}
			return
		}
		paths = append(paths, strings.Join(path, "."))
	}
	if spec, ok := object.Object["spec"]; ok {
		walk(spec, []string{"spec"})
	}
	slices.Sort(paths)
	return paths
}

// without lists what is in a and not in b.
func without(a, b []string) []string {
	return slices.DeleteFunc(slices.Clone(a), func(path string) bool { return slices.Contains(b, path) })
}

// copyFields copies some fields of an object into another, at their values. A field that is gone is left out.
func copyFields(from, to *unstructured.Unstructured, paths []string) error {
	for _, path := range paths {
		fields := strings.Split(path, ".")
		value, found, err := unstructured.NestedFieldCopy(from.Object, fields...)
		if err != nil || !found {
			continue
		}
		if err := unstructured.SetNestedField(to.Object, value, fields...); err != nil {
			return fmt.Errorf("the field %s cannot be handed back: %w", path, err)
		}
	}
	return nil
}
