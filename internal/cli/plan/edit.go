package plan

import (
	"cmp"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	jsonpatch "github.com/evanphx/json-patch/v5"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/json"
	"k8s.io/apimachinery/pkg/util/jsonmergepatch"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"

	"github.com/openservicemesh/osm-operator/internal/cli/manifests"
	"github.com/openservicemesh/osm-operator/internal/mesh/compare"
	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
	"github.com/openservicemesh/osm-operator/internal/mesh/load"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
)

// Edit is a change of a mesh.
type Edit struct {
	// Put lists created and changed objects, Remove deleted objects.
	Put, Remove []*unstructured.Unstructured
	// Objects describes the changes that the author wrote, sorted.
	Objects []Object
	// Unknown describes effects that are not computed.
	Unknown []string
}

// Action is the kind of change of an object.
type Action = compare.Action

// Actions on objects.
const (
	Added   = compare.Added
	Changed = compare.Changed
	Removed = compare.Removed
)

// Object describes the change of an object.
type Object struct {
	Action    Action `json:"action"`
	Kind      string `json:"kind"`
	Namespace string `json:"namespace,omitempty"`
	Name      string `json:"name"`
	// Rejections are the reasons why admission would reject the object. Warnings are its admission warnings.
	Rejections []string `json:"rejections,omitempty"`
	Warnings   []string `json:"warnings,omitempty"`
}

// String returns "<kind> <namespace>/<name>".
func (o Object) String() string {
	if o.Namespace == "" {
		return o.Kind + " " + o.Name
	}
	return o.Kind + " " + o.Namespace + "/" + o.Name
}

// key identifies an object independently of its version.
type key struct {
	kind            schema.GroupKind
	namespace, name string
}

func keyOf(u *unstructured.Unstructured) key {
	return key{u.GroupVersionKind().GroupKind(), u.GetNamespace(), u.GetName()}
}

func byKey(objects []*unstructured.Unstructured) map[key]*unstructured.Unstructured {
	all := make(map[key]*unstructured.Unstructured, len(objects))
	for _, object := range objects {
		all[keyOf(object)] = object
	}
	return all
}

// Between returns the edit that turns the subject's objects into after. written lists the objects of both meshes as the author wrote
// them, before completion.
func (s Subject) Between(after, written []*unstructured.Unstructured) (*Edit, error) {
	knownKinds, err := load.Kinds(s.Mesh, s.Scheme)
	if err != nil {
		return nil, err
	}
	authored := map[key]bool{}
	for _, object := range written {
		_, known := knownKinds[object.GroupVersionKind().GroupKind()]
		_, workload := manifests.WorkloadKinds[strings.ToLower(object.GetKind())]
		if known || workload || object.GetKind() == "Mesh" {
			authored[keyOf(manifests.InNamespace(object, metav1.NamespaceDefault))] = true
		}
	}
	e := &Edit{}
	old, current := byKey(s.Objects), byKey(after)
	for _, object := range after {
		earlier := old[keyOf(object)]
		if earlier != nil && reflect.DeepEqual(earlier.Object, object.Object) {
			continue
		}
		e.Put = append(e.Put, object)
		if authored[keyOf(object)] {
			e.note(action(earlier), object)
		}
	}
	for _, object := range s.Objects {
		if current[keyOf(object)] == nil {
			e.Remove = append(e.Remove, object)
			if authored[keyOf(object)] {
				e.note(Removed, object)
			}
		}
	}
	e.sort()
	return e, nil
}

func action(before *unstructured.Unstructured) Action {
	if before == nil {
		return Added
	}
	return Changed
}

func (e *Edit) note(action Action, object *unstructured.Unstructured) {
	o := nameOf(object)
	o.Action = action
	e.Objects = append(e.Objects, o)
}

// nameOf names an object.
func nameOf(object *unstructured.Unstructured) Object {
	kind := string(kinds.EntryKind(object.GroupVersionKind()))
	return Object{Kind: kind, Namespace: object.GetNamespace(), Name: object.GetName()}
}

func (e *Edit) unknown(format string, args ...any) {
	e.Unknown = append(e.Unknown, fmt.Sprintf(format, args...))
}

func (e *Edit) sort() {
	slices.SortFunc(e.Objects, func(a, b Object) int {
		return cmp.Or(strings.Compare(a.Kind, b.Kind), strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Name, b.Name))
	})
	e.Objects = slices.CompactFunc(e.Objects, func(a, b Object) bool { return a.String() == b.String() })
	e.Unknown = lists.Unique(e.Unknown)
}

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
		return jsonpatch.MergePatch(current, patch)
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
