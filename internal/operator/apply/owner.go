package apply

import (
	"errors"
	"fmt"
	"reflect"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// SetController makes owner the controller of objects and their only owner, so that they are garbage collected with it.
func SetController(owner client.Object, scheme *runtime.Scheme, objects ...*unstructured.Unstructured) error {
	if owner == nil || reflect.ValueOf(owner).IsNil() {
		return errors.New("the objects have no owner")
	}
	if owner.GetUID() == "" {
		return fmt.Errorf("the owner %s has not been read from the API server: it has no UID", owner.GetName())
	}
	kinds, _, err := scheme.ObjectKinds(owner)
	if err != nil {
		return fmt.Errorf("the kind of the owner %s is unknown: %w", owner.GetName(), err)
	}
	reference := metav1.OwnerReference{
		APIVersion: kinds[0].GroupVersion().String(), Kind: kinds[0].Kind, Name: owner.GetName(), UID: owner.GetUID(), Controller: ptr.To(true),
	}
	for _, object := range objects {
		object.SetOwnerReferences([]metav1.OwnerReference{reference})
	}
	return nil
}
