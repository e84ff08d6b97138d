package apply

import (
	"fmt"
	"reflect"
	"slices"
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

// compareList looks at all items. Lists of named items are merged by name, so others may have added some; every other list is
// owned as a whole, and an item that somebody added to it is a difference.
func compareList(desired, live []any, path string, paths *[]string) {
	if byName(desired, path) {
		for _, item := range desired {
			name := item.(map[string]any)["name"]
			compare(item, find(live, name), fmt.Sprintf("%s[%v]", path, name), paths)
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

// byName says whether the items of a list are merged by their names. Subjects of a binding have names as well, but are one value:
// an added subject would be an added permission.
func byName(list []any, path string) bool {
	if len(list) == 0 || path == "subjects" {
		return false
	}
	for _, item := range list {
		asMap, ok := item.(map[string]any)
		if !ok || asMap["name"] == nil {
			return false
		}
	}
	return true
}

// find returns the item with a name, or nil.
func find(list []any, name any) any {
	for _, item := range list {
		if asMap, ok := item.(map[string]any); ok && asMap["name"] == name {
			return item
		}
	}
	return nil
}

// isZero says whether a value is one that the API server leaves out.
func isZero(value any) bool {
	return value == nil || reflect.ValueOf(value).IsZero()
}
