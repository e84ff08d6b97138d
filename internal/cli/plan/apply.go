package plan

import (
	"fmt"
	"maps"
	"reflect"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/json"
	"k8s.io/apimachinery/pkg/util/jsonmergepatch"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
)

// applyObject returns the result of `kubectl apply` for an existing object. Fields of the file are set, fields that were only in the last applied
// version are removed, and all others stay. It returns current if nothing changes.
func applyObject(current, desired *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	original := []byte(current.GetAnnotations()[corev1.LastAppliedConfigAnnotation])
	if isUnchanged(original, current, desired) {
		return current, nil
	}
	desired = desired.DeepCopy()
	if len(original) > 0 { // kubectl sets this annotation
		annotations := maps.Clone(desired.GetAnnotations())
		if annotations == nil {
			annotations = map[string]string{}
		}
		annotations[corev1.LastAppliedConfigAnnotation] = string(original)
		desired.SetAnnotations(annotations)
	}
	desired.SetAPIVersion(current.GetAPIVersion()) // the API server converts between versions
	modified, err := json.Marshal(desired.Object)
	if err != nil {
		return nil, err
	}
	now, err := json.Marshal(current.Object)
	if err != nil {
		return nil, err
	}
	merged, err := merge(original, modified, now, desired)
	if err != nil {
		return nil, fmt.Errorf("apply %s %s/%s: %w", desired.GetKind(), desired.GetNamespace(), desired.GetName(), err)
	}
	result, before := &unstructured.Unstructured{}, map[string]any{}
	if err := json.Unmarshal(merged, &result.Object); err != nil {
		return nil, err
	}
	if err := json.Unmarshal(now, &before); err != nil || reflect.DeepEqual(result.Object, before) {
		return current, err
	}
	return result, nil
}

// merge computes the three-way merge: a strategic merge for built-in kinds, a JSON merge patch for others.
func merge(original, modified, current []byte, object *unstructured.Unstructured) ([]byte, error) {
	typed, err := clientgoscheme.Scheme.New(object.GroupVersionKind())
	if err != nil {
		patch, err := jsonmergepatch.CreateThreeWayJSONMergePatch(original, modified, current)
		if err != nil {
			return nil, err
		}
		return mergeFields(current, patch)
	}
	schema, err := strategicpatch.NewPatchMetaFromStruct(typed)
	if err != nil {
		return nil, err
	}
	patch, err := strategicpatch.CreateThreeWayMergePatch(original, modified, current, schema, true)
	if err != nil {
		return nil, err
	}
	return strategicpatch.StrategicMergePatchUsingLookupPatchMeta(current, patch, schema)
}

// mergeFields applies a JSON merge patch (RFC 7386).
func mergeFields(current, patch []byte) ([]byte, error) {
	var object, changes map[string]any
	if err := json.Unmarshal(current, &object); err != nil {
		return nil, err
	}
	if err := json.Unmarshal(patch, &changes); err != nil {
		return nil, err
	}
	return json.Marshal(patched(object, changes))
}

func patched(object, changes map[string]any) map[string]any {
	if object == nil {
		object = map[string]any{}
	}
	for field, change := range changes {
		nested, isObject := change.(map[string]any)
		switch {
		case change == nil:
			delete(object, field)
		case isObject:
			inner, _ := object[field].(map[string]any)
			object[field] = patched(inner, nested)
		default:
			object[field] = change
		}
	}
	return object
}

// isUnchanged is a fast check whether applying changes nothing: the object contains all fields of the file, and the last applied version
// contained no others.
func isUnchanged(original []byte, current, desired *unstructured.Unstructured) bool {
	if !isSubset(desired.Object, current.Object) {
		return false
	}
	if len(original) == 0 {
		return true
	}
	var last map[string]any
	return json.Unmarshal(original, &last) == nil && isSubset(last, desired.Object)
}

// isSubset returns true if part contains nothing that whole lacks. Empty annotations and apiVersion are ignored.
func isSubset(part, whole any) bool {
	switch p := part.(type) {
	case map[string]any:
		w, ok := whole.(map[string]any)
		if !ok {
			return len(p) == 0 && whole == nil
		}
		for field, value := range p {
			if field != "apiVersion" && !isSubset(value, w[field]) {
				return false
			}
		}
		return true
	case []any:
		w, ok := whole.([]any)
		if !ok || len(p) != len(w) {
			return false
		}
		for i := range p {
			if !isSubset(p[i], w[i]) || !isSubset(w[i], p[i]) {
				return false
			}
		}
		return true
	}
	return reflect.DeepEqual(normalizeNumber(part), normalizeNumber(whole))
}

// normalizeNumber converts integers to float64, because YAML and JSON decode numbers differently.
func normalizeNumber(value any) any {
	switch n := value.(type) {
	case int64:
		return float64(n)
	case int:
		return float64(n)
	}
	return value
}
