package meshconfig

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// appliedFields lists the fields below spec that a manager owns by server-side apply, as sorted paths. An item of a
// list counts as the whole list.
func appliedFields(fields []metav1.ManagedFieldsEntry, manager string) ([]string, error) {
	var paths []string
	for _, entry := range fields {
		if entry.Manager != manager || entry.Operation != metav1.ManagedFieldsOperationApply || entry.Subresource != "" || entry.FieldsV1 == nil {
			continue
		}
		var tree map[string]any
		if err := json.Unmarshal(entry.FieldsV1.GetRawBytes(), &tree); err != nil {
			return nil, fmt.Errorf("the fields that %s owns cannot be read: %w", manager, err)
		}
		if spec, ok := tree["f:spec"].(map[string]any); ok {
			collect(spec, []string{"spec"}, &paths)
		}
	}
	slices.Sort(paths)
	return slices.Compact(paths), nil
}

// collect walks a tree of owned fields: keys that begin with "f:" are fields, a map without any is a leaf.
func collect(tree map[string]any, path []string, paths *[]string) {
	leaf := true
	for key, below := range tree {
		name, isField := strings.CutPrefix(key, "f:")
		content, isMap := below.(map[string]any)
		if !isField || !isMap {
			continue
		}
		leaf = false
		collect(content, append(slices.Clone(path), name), paths)
	}
	if leaf {
		*paths = append(*paths, strings.Join(path, "."))
	}
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
