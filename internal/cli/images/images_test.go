package images

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
	"sigs.k8s.io/yaml"

	"github.com/openservicemesh/osm-operator/internal/operator/component/builtin"
	"github.com/openservicemesh/osm-operator/internal/operator/operand"
)

const mirror = "registry.example.com/osm"

func list(t *testing.T, mirror string) []Image {
	t.Helper()
	images, err := List(mirror)
	if err != nil {
		t.Fatal(err)
	}
	return images
}

// Every image of a component is in the list, because the list is that of the operator's Deployment.
func TestListHasImagesOfAllComponents(t *testing.T) {
	variables := map[string]bool{}
	for _, image := range builtin.Images() {
		variables[image.Variable] = true
	}
	images := list(t, "")
	for _, image := range images {
		if image.Variable != "" && !variables[image.Variable] {
			t.Errorf("%s is listed, but the operator does not use it", image.Variable)
		}
		delete(variables, image.Variable)
	}
	if len(variables) > 0 {
		t.Errorf("the list lacks %v", variables)
	}
	if first := images[0]; !strings.HasPrefix(first.Source, "docker.io/openservicemesh/osm-operator:v") || first.Field != "" {
		t.Errorf("the first image is %+v, want that of the operator", first)
	}
}

func TestListHasImagesOfEarlierVersions(t *testing.T) {
	images := list(t, "")
	catalogue, err := operand.NewCatalogue(images[0].Version, operand.Images{})
	if err != nil {
		t.Fatal(err)
	}
	for _, version := range catalogue.Known() {
		count := 0
		for _, image := range images {
			if image.Version == version && image.Field != "" {
				count++
			}
			if image.Version == version && version != images[0].Version && !strings.Contains(image.Source, "@sha256:") {
				t.Errorf("%s of the recorded version %s has no digest", image.Source, version)
			}
		}
		if count < 4 {
			t.Errorf("version %s has %d images, want controller, injector, init and sidecar", version, count)
		}
	}
}

// Each field exists in the definition of Mesh.
func TestFieldsReplaceImages(t *testing.T) {
	text, err := os.ReadFile("../../../config/crd/bases/operator.openservicemesh.io_meshes.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var definition map[string]any
	if err := yaml.Unmarshal(text, &definition); err != nil {
		t.Fatal(err)
	}
	spec := definition["spec"].(map[string]any)
	version := spec["versions"].([]any)[0].(map[string]any)
	root := version["schema"].(map[string]any)["openAPIV3Schema"].(map[string]any)
	for _, image := range list(t, "")[1:] {
		schema := root
		for name := range strings.SplitSeq(image.Field, ".") {
			properties, _ := schema["properties"].(map[string]any)
			schema, _ = properties[name].(map[string]any)
		}
		if schema["type"] != "string" {
			t.Errorf("the field %q of %s does not exist in Mesh", image.Field, image.Source)
		}
	}
}

func TestReferencesAreComplete(t *testing.T) {
	for reference, want := range map[string]string{
		"openservicemesh/init:v1":          "docker.io/openservicemesh/init:v1",
		"docker.io/grafana/grafana:1":      "docker.io/grafana/grafana:1",
		"quay.io/prometheus/prometheus:v3": "quay.io/prometheus/prometheus:v3",
		"localhost:5000/a/b:1":             "localhost:5000/a/b:1",
	} {
		image := newImage(mirror+"/", reference, "", "", "")
		if image.Source != want || image.Target != mirror+"/"+reference {
			t.Errorf("%s is %s, and %s in the mirror", reference, image.Source, image.Target)
		}
	}
}

// With the patch, no image of the operator, the mesh or a component comes from elsewhere than the mirror.
func TestPatchReplacesAllImages(t *testing.T) {
	patch, err := Patch(mirror, list(t, mirror))
	if err != nil {
		t.Fatal(err)
	}
	change, err := yaml.YAMLToJSON(patch)
	if err != nil {
		t.Fatal(err)
	}
	before, err := deployment()
	if err != nil {
		t.Fatal(err)
	}
	original, err := json.Marshal(before)
	if err != nil {
		t.Fatal(err)
	}
	patched, err := strategicpatch.StrategicMergePatch(original, change, appsv1.Deployment{})
	if err != nil {
		t.Fatal(err)
	}
	after := &appsv1.Deployment{}
	if err := json.Unmarshal(patched, after); err != nil {
		t.Fatal(err)
	}
	old, container := before.Spec.Template.Spec.Containers[0], after.Spec.Template.Spec.Containers[0]
	if container.Image != mirror+"/"+old.Image || len(container.Env) != len(old.Env) || len(after.Spec.Template.Spec.Containers) != 1 {
		t.Errorf("the container is %+v", container)
	}
	for _, variable := range container.Env {
		if variable.Name == operand.RegistryVariable && variable.Value != mirror {
			t.Errorf("the images of recorded versions come from %q, want the mirror", variable.Value)
		}
		if strings.HasPrefix(variable.Name, variablePrefix) && !strings.HasPrefix(variable.Value, mirror+"/") {
			t.Errorf("%s is %s, want the mirror", variable.Name, variable.Value)
		}
	}
	if slices.Equal(container.Args, nil) || !slices.Equal(container.Args, old.Args) {
		t.Errorf("the arguments are %v", container.Args)
	}
}

func TestPatchNeedsAMirror(t *testing.T) {
	if _, err := Patch("", list(t, "")); err == nil || !strings.Contains(err.Error(), "mirror") {
		t.Errorf("the error is %v", err)
	}
}
