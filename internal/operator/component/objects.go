package component

import (
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/internal/operator/operand"
)

// Labelled converts typed objects and adds the labels of the mesh.
func Labelled(inputs Inputs, objects ...client.Object) ([]*unstructured.Unstructured, error) {
	version := ""
	if len(inputs.ControlPlanes) > 0 {
		version = inputs.ControlPlanes[0].Release.Version
	}
	var all []*unstructured.Unstructured
	for _, object := range objects {
		labels := operand.Labels(inputs.Mesh.Name, version)
		for key, value := range object.GetLabels() {
			labels[key] = value
		}
		object.SetLabels(labels)
		content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
		if err != nil {
			return nil, fmt.Errorf("the %s %s cannot be written: %w", object.GetObjectKind().GroupVersionKind().Kind, object.GetName(), err)
		}
		delete(content, "status")
		all = append(all, &unstructured.Unstructured{Object: content})
	}
	return all, nil
}
