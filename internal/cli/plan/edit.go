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

	"github.com/openservicemesh/osm-operator/controllers/controlplane/load"
	"github.com/openservicemesh/osm-operator/internal/cli/manifests"
	compared "github.com/openservicemesh/osm-operator/internal/plan"
)

// Edit is what changes in a mesh.
type Edit struct {
	// Put are the objects as they would be afterwards, Remove those that would be gone.
	Put, Remove []*unstructured.Unstructured
	// Objects are the changes as their author wrote them, sorted.
	Objects []Object
	// Unknown are parts of the edit whose effect is not computed, each a sentence.
	Unknown []string
}

// Action is what becomes of an object.
type Action = compared.Action

// What becomes of objects.
const (
	Added   = compared.Added
	Changed = compared.Changed
	Removed = compared.Removed
)

// Object is a change of one object.
type Object struct {
	Action    Action `json:"action"`
	Kind      string `json:"kind"`
	Namespace string `json:"namespace,omitempty"`
	Name      string `json:"name"`
	// Refusals are why the mesh's admission would refuse it, Warnings what its author would be told.
	Refusals []string `json:"refusals,omitempty"`
	Warnings []string `json:"warnings,omitempty"`
}

// String is "<kind> <namespace>/<name>".
func (o Object) String() string {
	if o.Namespace == "" {
		return o.Kind + " " + o.Name
	}
	return o.Kind + " " + o.Namespace + "/" + o.Name
}

// key names an object whatever its version.
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

// Between is the edit that leads from the objects of a mesh of files to those of another. written are the objects of both as
// their authors wrote them, without what a cluster would add.
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
			authored[keyOf(manifests.Placed(object, metav1.NamespaceDefault))] = true
		}
	}
	e := &Edit{}
	old, current := byKey(s.Objects), byKey(after)
	for _, object := range after {
		was := old[keyOf(object)]
		if was != nil && reflect.DeepEqual(was.Object, object.Object) {
			continue
		}
		e.Put = append(e.Put, object)
		if authored[keyOf(object)] {
			e.note(action(was), object)
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
