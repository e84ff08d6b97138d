package manifests_test

import (
	"fmt"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/openservicemesh/osm-operator/internal/cli/manifests"
)

// meshConfigOf completes the YAML documents, and returns the spec of their MeshConfig.
func meshConfigOf(t *testing.T, documents string) map[string]any {
	t.Helper()
	objects, err := manifests.Decode([]byte(documents))
	if err != nil {
		t.Fatal(err)
	}
	complete, err := manifests.Complete("", objects)
	if err != nil {
		t.Fatal(err)
	}
	for _, object := range complete.Objects {
		if object.GetKind() == "MeshConfig" {
			spec, _, _ := unstructured.NestedMap(object.Object, "spec")
			return spec
		}
	}
	t.Fatal("no MeshConfig")
	return nil
}

// Files without a MeshConfig are evaluated with the settings that the operator gives to a new mesh.
func TestComplete_HasSettingsOfANewMesh(t *testing.T) {
	text, err := os.ReadFile("../../operator/meshconfig/preset.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var preset struct {
		Certificate  map[string]any
		Traffic      map[string]any
		FeatureFlags map[string]bool
	}
	if err := yaml.Unmarshal(text, &preset); err != nil {
		t.Fatal(err)
	}
	spec := meshConfigOf(t, "")
	if got, want := fmt.Sprint(spec["certificate"]), fmt.Sprint(preset.Certificate); got != want {
		t.Errorf("spec.certificate is %s, a new mesh has %s", got, want)
	}
	traffic, _ := spec["traffic"].(map[string]any)
	flags, _ := spec["featureFlags"].(map[string]any)
	for _, field := range []string{"enableEgress", "enablePermissiveTrafficPolicyMode"} {
		if traffic[field] != preset.Traffic[field] {
			t.Errorf("spec.traffic.%s is %v, a new mesh has %v", field, traffic[field], preset.Traffic[field])
		}
	}
	for flag, enabled := range preset.FeatureFlags {
		if got := flags[flag] == true; got != enabled && flag != "enableWASMStats" { // which has no effect
			t.Errorf("spec.featureFlags.%s is %v, a new mesh has %v", flag, got, enabled)
		}
	}
}

func TestComplete_HasTrafficOfTheMesh(t *testing.T) {
	spec := meshConfigOf(t, "apiVersion: operator.openservicemesh.io/v1alpha1\nkind: Mesh\nmetadata: {name: osm}\nspec: {traffic: {permissive: true, rulesWithoutMatches: None}}\n")
	want := map[string]any{"enablePermissiveTrafficPolicyMode": true, "enableEgress": false, "rulesWithoutMatches": "None"}
	if diff := cmp.Diff(want, spec["traffic"]); diff != "" {
		t.Errorf("spec.traffic (-want +got):\n%s", diff)
	}
}

// A MeshConfig in the files applies as it is.
func TestComplete_KeepsAMeshConfig(t *testing.T) {
	spec := meshConfigOf(t, "apiVersion: config.openservicemesh.io/v1alpha2\nkind: MeshConfig\nmetadata: {name: osm-mesh-config, namespace: osm-system}\nspec: {traffic: {enableEgress: true}}\n")
	if diff := cmp.Diff(map[string]any{"traffic": map[string]any{"enableEgress": true}}, spec); diff != "" {
		t.Errorf("spec (-want +got):\n%s", diff)
	}
}
