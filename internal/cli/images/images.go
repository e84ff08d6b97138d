package images

import (
	"fmt"
	"path"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"

	"github.com/openservicemesh/osm-operator/dist"
	"github.com/openservicemesh/osm-operator/internal/cli/manifests"
	"github.com/openservicemesh/osm-operator/internal/operator/component/builtin"
	"github.com/openservicemesh/osm-operator/internal/operator/operand"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// Image is an image that the operator runs, or that it configures for a mesh.
type Image struct {
	// Source is the complete reference.
	Source string `json:"source"`
	// Target is the reference in the mirror. It is empty without a mirror.
	Target string `json:"target,omitempty"`
	// Variable is the variable of the operator's Deployment that replaces the image. It is empty for the operator itself and for images
	// of earlier versions.
	Variable string `json:"variable,omitempty"`
	// Field is the field of the Mesh that replaces the image. It is empty for the operator.
	Field string `json:"field,omitempty"`
	// Version is the version of the mesh that needs the image.
	Version string `json:"version"`
}

// field returns the field of the Mesh that replaces the image of a variable, or "".
func field(variable string) string {
	for _, image := range builtin.Images() {
		if image.Variable == variable {
			return image.Field
		}
	}
	return ""
}

// variablePrefix is the prefix of variables with images.
const variablePrefix = "RELATED_IMAGE_"

// List returns the images of the operator, of its version of the mesh, and of the earlier versions that it can install. mirror is a
// registry with an optional path, or empty.
func List(mirror string) ([]Image, error) {
	container, version, err := operator()
	if err != nil {
		return nil, err
	}
	images := []Image{newImage(mirror, container.Image, "", "", version)}
	for _, variable := range container.Env {
		if strings.HasPrefix(variable.Name, variablePrefix) {
			images = append(images, newImage(mirror, variable.Value, variable.Name, field(variable.Name), version))
		}
	}
	earlier, err := earlierVersions(mirror, version)
	return append(images, earlier...), err
}

// operator returns the container of the operator in its manifest, and its version.
func operator() (corev1.Container, string, error) {
	d, err := deployment()
	if err != nil {
		return corev1.Container{}, "", err
	}
	container := d.Spec.Template.Spec.Containers[0]
	_, version, found := strings.Cut(path.Base(container.Image), ":")
	if !found {
		return container, "", fmt.Errorf("the image %s of the operator has no version", container.Image)
	}
	return container, version, nil
}

// deployment returns the Deployment of the operator.
func deployment() (*appsv1.Deployment, error) {
	objects, err := manifests.Decode(dist.Operator)
	if err != nil {
		return nil, fmt.Errorf("decode embedded manifests: %w", err)
	}
	for _, object := range objects {
		if object.GetKind() == "Deployment" && object.GetName() == names.Operator {
			d := &appsv1.Deployment{}
			return d, runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, d)
		}
	}
	return nil, fmt.Errorf("the embedded manifests have no Deployment %s", names.Operator)
}

// earlierVersions returns the images of recorded versions before the given one.
func earlierVersions(mirror, current string) ([]Image, error) {
	catalogue, err := operand.NewCatalogue(current, operand.Images{})
	if err != nil {
		return nil, err
	}
	var images []Image
	for _, version := range catalogue.Known() {
		if version == current {
			continue
		}
		release, err := catalogue.Release(version)
		if err != nil {
			return nil, err
		}
		for _, image := range []struct{ reference, variable string }{
			{release.Images.Controller, builtin.ControllerVariable},
			{release.Images.Injector, builtin.InjectorVariable},
			{release.Images.Init, builtin.InitVariable},
			{release.Images.Sidecar, builtin.EnvoyVariable},
		} {
			images = append(images, newImage(mirror, image.reference, "", field(image.variable), version))
		}
	}
	return images, nil
}

// dockerHub is the registry of references without one.
const dockerHub = "docker.io/"

// newImage completes a reference, and adds its place in the mirror: the path of the mirror, then the reference as the manifest has it.
// The chart's value imageRegistry has the same effect.
func newImage(mirror, reference, variable, field, version string) Image {
	image := Image{Source: reference, Variable: variable, Field: field, Version: version}
	if host, _, hasPath := strings.Cut(reference, "/"); !hasPath || !strings.ContainsAny(host, ".:") {
		image.Source = dockerHub + reference
	}
	if mirror != "" {
		image.Target = operand.InRegistry(mirror, reference)
	}
	return image
}

// Patch returns a strategic merge patch of the operator's Deployment, with which the operator and its meshes use the mirror. images are those
// that List returns for it.
func Patch(mirror string, images []Image) ([]byte, error) {
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
	container["env"] = append(variables, map[string]string{"name": operand.RegistryVariable, "value": mirror})
	spec := map[string]any{"template": map[string]any{"spec": map[string]any{"containers": []any{container}}}}
	return yaml.Marshal(map[string]any{
		"apiVersion": "apps/v1", "kind": "Deployment", "metadata": map[string]any{"name": names.Operator, "namespace": names.OperatorNamespace}, "spec": spec,
	})
}
