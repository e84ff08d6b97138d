package apply

import (
	"maps"

	"k8s.io/apimachinery/pkg/runtime"
)

// Merge is what an object would be after desired is applied to it, so far as can be told without the API server: desired's fields,
// and those of others. Afterwards nothing that Differences looks at is different. Neither argument is changed.
func Merge(desired, live map[string]any) map[string]any {
	return mergeMap(desired, live, "")
}

func mergeMap(desired, live map[string]any, path string) map[string]any {
	merged := maps.Clone(live)
	if merged == nil {
		merged = map[string]any{}
	}
	for key, value := range desired {
		below := key
		if path != "" {
			below = path + "." + key
		}
		merged[key] = mergeValue(value, live[key], below)
	}
	return merged
}

func mergeValue(desired, live any, path string) any {
	switch desired := desired.(type) {
	case map[string]any:
		asMap, _ := live.(map[string]any)
		return mergeMap(desired, asMap, path)
	case []any:
		if path == "metadata.ownerReferences" {
			return mergeOwners(desired, live)
		}
		if asList, ok := live.([]any); ok && keysOf(desired, path) != nil {
			return mergeByKeys(desired, asList, path)
		}
	}
	return runtime.DeepCopyJSONValue(desired)
}

// mergeOwners keeps the owners that others have added. The controller is the operator's, and there is one.
func mergeOwners(desired []any, live any) []any {
	merged := runtime.DeepCopyJSONValue(desired).([]any)
	asList, _ := live.([]any)
	for _, item := range asList {
		if owner, ok := item.(map[string]any); ok && owner["controller"] != true && find(desired, owner, []string{"uid"}) == nil {
			merged = append(merged, item)
		}
	}
	return merged
}

// mergeByKeys keeps the items of others, in their places.
func mergeByKeys(desired, live []any, path string) []any {
	keys := keysOf(desired, path)
	merged := make([]any, 0, len(live))
	for _, item := range live {
		if asMap, ok := item.(map[string]any); ok {
			if wanted := find(desired, asMap, keys); wanted != nil {
				item = mergeValue(wanted, item, path)
			}
		}
		merged = append(merged, item)
	}
	for _, item := range desired {
		if find(live, item.(map[string]any), keys) == nil {
			merged = append(merged, runtime.DeepCopyJSONValue(item))
		}
	}
	return merged
}
