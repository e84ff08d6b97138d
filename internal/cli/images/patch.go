package images

import (
	"fmt"

	"sigs.k8s.io/yaml"

	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// Patch returns a strategic merge patch of the operator's Deployment, with which the operator and its meshes use the mirror.
func Patch(images []Image) ([]byte, error) {
	d, err := deployment()
	if err != nil {
		return nil, err
	}
	container := map[string]any{"name": d.Spec.Template.Spec.Containers[0].Name}
	var variables []map[string]string
	for _, image := range images {
		switch {
		case image.Target == "":
			return nil, fmt.Errorf("the image %s has no place in a mirror", image.Source)
		case image.Variable != "":
			variables = append(variables, map[string]string{"name": image.Variable, "value": image.Target})
		case image.Field == "":
			container["image"] = image.Target
		}
	}
	container["env"] = variables
	spec := map[string]any{"template": map[string]any{"spec": map[string]any{"containers": []any{container}}}}
	return yaml.Marshal(map[string]any{
		"apiVersion": "apps/v1", "kind": "Deployment", "metadata": map[string]any{"name": names.Operator, "namespace": names.OperatorNamespace}, "spec": spec,
	})
}
