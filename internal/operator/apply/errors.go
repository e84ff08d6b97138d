package apply

import (
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// ObjectError is the failure of one object.
type ObjectError struct {
	Kind schema.GroupVersionKind
	client.ObjectKey
	// Operation is the past participle of what failed, such as "applied" or "read".
	Operation string
	Err       error
}

// Error names the object.
func (e *ObjectError) Error() string {
	return fmt.Sprintf("%s cannot be %s: %v", describeKey(e.Kind.Kind, e.ObjectKey), e.Operation, e.Err)
}

// Unwrap returns the error of the API server, if it has one.
func (e *ObjectError) Unwrap() error { return e.Err }

func objectError(object *unstructured.Unstructured, operation string, err error) error {
	return &ObjectError{Kind: object.GroupVersionKind(), ObjectKey: client.ObjectKeyFromObject(object), Operation: operation, Err: err}
}

// describe is an object's kind and name for people.
func describe(object client.Object) string {
	return describeKey(object.GetObjectKind().GroupVersionKind().Kind, client.ObjectKeyFromObject(object))
}

func describeKey(kind string, key client.ObjectKey) string {
	if key.Namespace == "" {
		return kind + " " + key.Name
	}
	return kind + " " + key.Namespace + "/" + key.Name
}
