package components

import (
	"context"
	"fmt"
	"maps"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
)

// isWorkload reports whether an object belongs to the pods of a component: its Deployment, and the ConfigMaps that the pods read.
func isWorkload(object *unstructured.Unstructured) bool {
	return isDeployment(object) || object.GetKind() == "ConfigMap" && object.GetAPIVersion() == "v1"
}

func isDeployment(object *unstructured.Unstructured) bool {
	return object.GetKind() == "Deployment" && object.GetAPIVersion() == "apps/v1"
}

// readLive reads an object from the cache. It returns nil if the object does not exist.
func (r *Reconciler) readLive(ctx context.Context, reference v1alpha1.ObjectReference) (*unstructured.Unstructured, error) {
	live := &unstructured.Unstructured{}
	live.SetAPIVersion(reference.APIVersion)
	live.SetKind(reference.Kind)
	err := r.Objects.Get(ctx, client.ObjectKey{Namespace: reference.Namespace, Name: reference.Name}, live)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("%s %s cannot be read: %w", reference.Kind, reference.Name, err)
	}
	return live, nil
}

// imagesOf returns the images of a Deployment, sorted.
func imagesOf(deployment *unstructured.Unstructured) []string {
	images := map[string]bool{}
	for _, field := range []string{"initContainers", "containers"} {
		list, _, _ := unstructured.NestedSlice(deployment.Object, "spec", "template", "spec", field)
		for _, c := range list {
			container, _ := c.(map[string]any)
			image, _ := container["image"].(string)
			images[image] = true
		}
	}
	return slices.Sorted(maps.Keys(images))
}
