package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// fieldOwner is the field manager of the tests.
const fieldOwner = client.FieldOwner("osm-e2e")

// Objects parses manifests given as text.
func Objects(manifests string) ([]*unstructured.Unstructured, error) {
	decoder := yaml.NewYAMLOrJSONDecoder(strings.NewReader(manifests), 4096)
	var all []*unstructured.Unstructured
	for {
		object := &unstructured.Unstructured{}
		err := decoder.Decode(&object.Object)
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return nil, fmt.Errorf("manifests: %w", err)
		}
		if len(object.Object) > 0 {
			all = append(all, object)
		}
	}
}

// Put applies manifests by server-side apply. It starts no process and returns the API server's own error.
func (c *Cluster) Put(ctx context.Context, manifests string) error {
	objects, err := Objects(manifests)
	if err != nil {
		return err
	}
	for _, object := range objects {
		if err := c.Client.Apply(ctx, client.ApplyConfigurationFromUnstructured(object), fieldOwner, client.ForceOwnership); err != nil {
			return err
		}
	}
	return nil
}

// Remove deletes the objects in the manifests without waiting. A missing object is no error.
func (c *Cluster) Remove(ctx context.Context, manifests string) error {
	objects, err := Objects(manifests)
	if err != nil {
		return err
	}
	for _, object := range objects {
		if err := client.IgnoreNotFound(c.Client.Delete(ctx, object)); err != nil {
			return err
		}
	}
	return nil
}

// Patch applies a JSON merge patch to an object.
func (c *Cluster) Patch(ctx context.Context, object client.Object, patch string) error {
	return c.Client.Patch(ctx, object, client.RawPatch("application/merge-patch+json", []byte(patch)), fieldOwner)
}
