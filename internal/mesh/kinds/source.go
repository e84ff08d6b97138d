package kinds

import (
	"fmt"
	"reflect"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/ingest"
)

// Source describes one kind of Kubernetes object: what to watch, and how to convert it to a catalog entry.
type Source struct {
	// Kind is the kind of the entries.
	Kind catalog.Kind
	// Object is an empty object of the watched kind.
	Object client.Object
	// Ingest converts an object. The entry is nil if the object is not part of the mesh; problems describe omitted parts.
	Ingest func(client.Object) (catalog.Entry, []ingest.Problem)
	// Namespace limits the watch to one namespace; empty means all.
	Namespace string
}

// RefOf returns the catalog reference of an object with the given name. The entry of a namespace has its name in the
// Namespace field, and settings have no name.
func RefOf(kind catalog.Kind, name catalog.Name) catalog.Ref {
	switch kind {
	case catalog.KindNamespace:
		return catalog.Ref{Kind: kind, Name: catalog.Name{Namespace: name.Name}}
	case catalog.KindSettings:
		return catalog.Ref{Kind: kind}
	}
	return catalog.Ref{Kind: kind, Name: name}
}

// SourceOf returns a Source for a typed ingest function. A nil entry means that the object is not part of the mesh.
func SourceOf[T client.Object, E interface {
	comparable
	catalog.Entry
}](kind catalog.Kind, object T, convert func(T) (E, []ingest.Problem)) Source {
	return Source{
		Kind:   kind,
		Object: object,
		Ingest: func(obj client.Object) (catalog.Entry, []ingest.Problem) {
			typed, ok := obj.(T)
			if !ok {
				return nil, nil
			}
			entry, problems := convert(typed)
			var none E
			if entry == none {
				return nil, problems
			}
			return entry, problems
		},
	}
}

// Typed converts an unstructured object to the type of empty. If empty is unstructured, it returns the object itself.
func Typed(object *unstructured.Unstructured, empty client.Object) (client.Object, error) {
	if _, ok := empty.(*unstructured.Unstructured); ok {
		return object, nil
	}
	typed, ok := reflect.New(reflect.TypeOf(empty).Elem()).Interface().(client.Object)
	if !ok {
		return nil, fmt.Errorf("%T is not an API object", empty)
	}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, typed); err != nil {
		return nil, fmt.Errorf("%s %s/%s: %w", object.GetKind(), object.GetNamespace(), object.GetName(), err)
	}
	return typed, nil
}
