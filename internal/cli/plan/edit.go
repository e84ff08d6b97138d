package plan

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/openservicemesh/osm-operator/internal/cli/manifests"
	"github.com/openservicemesh/osm-operator/internal/mesh/compare"
	"github.com/openservicemesh/osm-operator/internal/mesh/load"
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
	kinds, err := load.Kinds(s.Mesh, s.Scheme)
	if err != nil {
		return nil, err
	}
	authored := map[key]bool{}
	for _, object := range written {
		_, known := kinds[object.GroupVersionKind().GroupKind()]
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
	e.Objects = append(e.Objects, Object{Action: action, Kind: object.GetKind(), Namespace: object.GetNamespace(), Name: object.GetName()})
}

func (e *Edit) unknown(format string, args ...any) {
	e.Unknown = append(e.Unknown, fmt.Sprintf(format, args...))
}

func (e *Edit) sort() {
	slices.SortFunc(e.Objects, func(a, b Object) int {
		return cmp.Or(strings.Compare(a.Kind, b.Kind), strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Name, b.Name))
	})
	e.Objects = slices.CompactFunc(e.Objects, func(a, b Object) bool { return a.String() == b.String() })
	slices.Sort(e.Unknown)
	e.Unknown = slices.Compact(e.Unknown)
}
