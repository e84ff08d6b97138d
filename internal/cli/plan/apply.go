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

// applied is what `kubectl apply` would make of an object that exists, or the same object when nothing changes: fields that the file has
// are set, and those that the last applied version had and the file has not are removed. Others stay.
func applied(current, wanted *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	original := []byte(current.GetAnnotations()[corev1.LastAppliedConfigAnnotation])
	if unchanged(original, current, wanted) {
		return current, nil
	}
	wanted = wanted.DeepCopy()
	if len(original) > 0 { // kubectl writes this annotation itself
		annotations := maps.Clone(wanted.GetAnnotations())
		if annotations == nil {
			annotations = map[string]string{}
		}
		annotations[corev1.LastAppliedConfigAnnotation] = string(original)
		wanted.SetAnnotations(annotations)
	}
	wanted.SetAPIVersion(current.GetAPIVersion()) // a cluster has one version of an object, and shows it in several
	modified, err := json.Marshal(wanted.Object)
	if err != nil {
		return nil, err
	}
	now, err := json.Marshal(current.Object)
	if err != nil {
		return nil, err
	}
	merged, err := merge(original, modified, now, wanted)
	if err != nil {
		return nil, fmt.Errorf("%s %s/%s cannot be applied to the one that exists: %w", wanted.GetKind(), wanted.GetNamespace(), wanted.GetName(), err)
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

// merge makes the three-way merge of the object's kind: strategic for the kinds of Kubernetes, by fields for others.
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

// mergeFields applies a merge patch (RFC 7386).
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

// unchanged says at a glance whether applying changes nothing: the object has all that the file has, and the version that was
// applied last had nothing else. It is for repositories of which little has changed.
func unchanged(original []byte, current, wanted *unstructured.Unstructured) bool {
	if !within(wanted.Object, current.Object) {
		return false
	}
	if len(original) == 0 {
		return true
	}
	var last map[string]any
	return json.Unmarshal(original, &last) == nil && within(last, wanted.Object)
}

// within says whether a value has nothing that the other one lacks. Empty annotations and versions say nothing.
func within(part, whole any) bool {
	switch p := part.(type) {
	case map[string]any:
		w, ok := whole.(map[string]any)
		if !ok {
			return len(p) == 0 && whole == nil
		}
		for field, value := range p {
			if field != "apiVersion" && !within(value, w[field]) {
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
			if !within(p[i], w[i]) || !within(w[i], p[i]) {
				return false
			}
		}
		return true
	}
	return reflect.DeepEqual(plain(part), plain(whole))
}

// plain is a value in the form that compares equal: YAML is read with other kinds of numbers than an API server's JSON.
func plain(value any) any {
	switch n := value.(type) {
	case int64:
		return float64(n)
	case int:
		return float64(n)
	}
	return value
}
