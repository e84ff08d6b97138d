package meshconfig

import (
	"fmt"

	"k8s.io/apimachinery/pkg/runtime"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
)

// sidecarClasses returns the classes of a Mesh as a MeshConfig has them. The fields of both have the same names.
func sidecarClasses(declared []v1alpha1.SidecarClass) ([]any, error) {
	classes := make([]any, 0, len(declared))
	for i := range declared {
		class, err := runtime.DefaultUnstructuredConverter.ToUnstructured(&declared[i])
		if err != nil {
			return nil, fmt.Errorf("the class %s of spec.sidecar.classes cannot be read: %w", declared[i].Name, err)
		}
		classes = append(classes, class)
	}
	return classes, nil
}
