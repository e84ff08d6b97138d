package apply

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// Differences names the fields of desired whose live values are others, as sorted paths such as "spec.replicas". Fields that only
// live has are not compared: they belong to somebody else, or are defaults.
func Differences(desired, live map[string]any) []string {
	var paths []string
	compareMap(desired, live, "", &paths)
	slices.Sort(paths)
	return paths
}

// compare looks at one value.
func compare(desired, live any, path string, paths *[]string) {
	switch desired := desired.(type) {
	case map[string]any:
		if asMap, ok := live.(map[string]any); ok || live == nil {
			// A map that is absent equals an empty one, except for its rendered content.
			compareMap(desired, asMap, path, paths)
			return
		}
	case []any:
		if asList, ok := live.([]any); ok || live == nil {
			compareList(desired, asList, path, paths)
			return
		}
	default:
		// The API server leaves out zero values.
		if reflect.DeepEqual(desired, live) || live == nil && isZero(desired) {
			return
		}
	}
	*paths = append(*paths, path)
}

// compareMap looks at the rendered keys.
func compareMap(desired, live map[string]any, path string, paths *[]string) {
	for key, value := range desired {
		below := key
		if path != "" {
			below = path + "." + key
		}
		compare(value, live[key], below, paths)
	}
}

// compareList looks at all items. Lists whose items have keys are merged by them, so others may have added some; every other list is
// owned as a whole, and an item that somebody added to it is a difference.
func compareList(desired, live []any, path string, paths *[]string) {
	if keys := keysOf(desired, path); keys != nil {
		for _, item := range desired {
			asMap := item.(map[string]any)
			compare(item, find(live, asMap, keys), fmt.Sprintf("%s[%v]", path, asMap[keys[0]]), paths)
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

// keysOf lists the fields by which the items of a list are merged; nil when the list is one value.
func keysOf(list []any, path string) []string {
	keys := []string{"topologyKey", "whenUnsatisfiable"}
	switch {
	case byName(list, path):
		return []string{"name"}
	case path != "spec.template.spec.topologySpreadConstraints" || slices.ContainsFunc(list, func(item any) bool { return !has(item, keys) }):
		return nil
	}
	return keys
}

// byName says whether the items of a list are merged by their names. Subjects of a binding and versions of a definition have names as
// well, but are one value: an added subject would be an added permission.
func byName(list []any, path string) bool {
	if len(list) == 0 || path == "subjects" || strings.HasPrefix(path, "spec.versions") {
		return false
	}
	return !slices.ContainsFunc(list, func(item any) bool { return !has(item, []string{"name"}) })
}

// has says whether an item of a list has some fields.
func has(item any, keys []string) bool {
	asMap, ok := item.(map[string]any)
	return ok && !slices.ContainsFunc(keys, func(key string) bool { return asMap[key] == nil })
}

// find returns the item that has the same keys as another, or nil.
func find(list []any, like map[string]any, keys []string) any {
	for _, item := range list {
		asMap, ok := item.(map[string]any)
		if ok && !slices.ContainsFunc(keys, func(key string) bool { return asMap[key] != like[key] }) {
			return item
		}
	}
	return nil
}

// isZero says whether a value is one that the API server leaves out.
func isZero(value any) bool {
	return value == nil || reflect.ValueOf(value).IsZero()
}
