package apply

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// Differences returns the fields of desired whose live values differ, as sorted paths such as "spec.replicas". Fields that only live has
// are not compared: they are defaults or belong to other managers.
func Differences(desired, live map[string]any) []string {
	var paths []string
	compareMap(desired, live, "", &paths)
	slices.Sort(paths)
	return paths
}

func compare(desired, live any, path string, paths *[]string) {
	switch desired := desired.(type) {
	case map[string]any:
		// An absent map equals an empty one.
		if asMap, ok := live.(map[string]any); ok || live == nil {
			compareMap(desired, asMap, path, paths)
			return
		}
	case []any:
		if asList, ok := live.([]any); ok || live == nil {
			compareList(desired, asList, path, paths)
			return
		}
	default:
		// The API server omits zero values.
		if reflect.DeepEqual(desired, live) || live == nil && isZero(desired) {
			return
		}
	}
	*paths = append(*paths, path)
}

func compareMap(desired, live map[string]any, path string, paths *[]string) {
	for key, value := range desired {
		below := key
		if path != "" {
			below = path + "." + key
		}
		compare(value, live[key], below, paths)
	}
}

// compareList compares keyed lists item by item, because other managers may have added items. Every other list is atomic: an added item
// is a difference.
func compareList(desired, live []any, path string, paths *[]string) {
	if keys := mergeKeys(desired, path); keys != nil {
		for _, item := range desired {
			asMap := item.(map[string]any)
			compare(item, findItem(live, asMap, keys), fmt.Sprintf("%s[%v]", path, asMap[keys[0]]), paths)
		}
		return
	}
	if len(desired) != len(live) {
		*paths = append(*paths, path)
		return
	}
	for i := range desired {
		compare(desired[i], live[i], fmt.Sprintf("%s[%d]", path, i), paths)
	}
}

// Merge keys are derived from names, although the managed fields of a live object and the schemas of Kubernetes have them. The cache strips
// managed fields, so they would cost a request for each comparison, also in an idle cluster. structured-merge-diff compares by schema, but it
// counts zero values as differences, which the API server omits, and custom resources of components have no schema here. A wrong key would
// hide an added item, or write the object in every reconciliation. Tests of all rendered objects exclude both: they change every owned field,
// and they count the writes of idle meshes.

// mergeKeys returns the fields by which the items of a list merge, or nil for an atomic list.
func mergeKeys(list []any, path string) []string {
	if mergesByName(list, path) {
		return []string{"name"}
	}
	if keys := []string{"topologyKey", "whenUnsatisfiable"}; path == "spec.template.spec.topologySpreadConstraints" && allHave(list, keys) {
		return keys
	}
	return nil
}

// mergesByName reports whether the items of a list merge by name. Subjects of a role binding and versions of a CRD have names, too, but
// those lists are atomic: an added subject would be an added permission.
func mergesByName(list []any, path string) bool {
	return len(list) > 0 && path != "subjects" && !strings.HasPrefix(path, "spec.versions") && allHave(list, []string{"name"})
}

// allHave reports whether every item of a list has the fields.
func allHave(list []any, fields []string) bool {
	return !slices.ContainsFunc(list, func(item any) bool {
		asMap, ok := item.(map[string]any)
		return !ok || slices.ContainsFunc(fields, func(field string) bool { return asMap[field] == nil })
	})
}

// findItem returns the item with the same keys as another, or nil.
func findItem(list []any, like map[string]any, keys []string) any {
	for _, item := range list {
		asMap, ok := item.(map[string]any)
		if ok && !slices.ContainsFunc(keys, func(key string) bool { return asMap[key] != like[key] }) {
			return item
		}
	}
	return nil
}

// isZero reports whether the API server omits a value.
func isZero(value any) bool {
	return value == nil || reflect.ValueOf(value).IsZero()
}
