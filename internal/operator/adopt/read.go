package adopt

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// read reads the metadata of an object, or returns nil when it does not exist.
func read(ctx context.Context, live client.Reader, kind schema.GroupVersionKind, namespace, name string) (*metav1.PartialObjectMetadata, error) {
	object := &metav1.PartialObjectMetadata{}
	object.SetGroupVersionKind(kind)
	err := live.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, object)
	switch {
	case apierrors.IsNotFound(err):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("the %s %s/%s cannot be read: %w", kind.Kind, namespace, name, err)
	}
	return object, nil
}

// serviceExists reports whether a Service exists.
func serviceExists(ctx context.Context, live client.Reader, namespace, name string) (bool, error) {
	service, err := read(ctx, live, corev1.SchemeGroupVersion.WithKind("Service"), namespace, name)
	return service != nil, err
}
