package fields_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openservicemesh/osm-operator/internal/cli/fields"
	"github.com/openservicemesh/osm-operator/internal/cli/manifests"
)

func read(t *testing.T) fields.Schemas {
	t.Helper()
	schemas, err := fields.Read()
	if err != nil {
		t.Fatal(err)
	}
	return schemas
}

func TestFind(t *testing.T) {
	const egress = "apiVersion: policy.openservicemesh.io/v1alpha1\nkind: Egress\nmetadata: {name: a, labels: {any: thing}}\n"
	tests := map[string]struct {
		document string
		want     []string
	}{
		"known fields":           {egress + "spec: {sources: [{kind: ServiceAccount, name: b, namespace: c}], hosts: [d], ports: [{number: 80, protocol: http}]}", nil},
		"a field of the spec":    {egress + "spec: {sourcs: []}", []string{"spec.sourcs"}},
		"a field of an item":     {egress + "spec: {sources: [{kind: ServiceAccount}, {kin: ServiceAccount}]}", []string{"spec.sources[1].kin"}},
		"a field of the object":  {egress + "specs: {}", []string{"specs"}},
		"any labels":             {"apiVersion: policy.openservicemesh.io/v1alpha1\nkind: Telemetry\nmetadata: {name: a}\nspec: {selector: {any: thing}}", nil},
		"any headers":            {"apiVersion: specs.smi-spec.io/v1alpha4\nkind: HTTPRouteGroup\nmetadata: {name: a}\nspec: {matches: [{name: a, headers: [{any: thing}], methds: [GET]}]}", []string{"spec.matches[0].methds"}},
		"a kind of Kubernetes":   {"apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {prts: []}", nil},
		"a version without them": {"apiVersion: policy.openservicemesh.io/v1\nkind: Egress\nmetadata: {name: a}\nspec: {sourcs: []}", nil},
	}
	schemas := read(t)
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			objects, err := manifests.Decode([]byte(test.document))
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, unknown := range schemas.Find(objects[0]) {
				got = append(got, unknown.Path)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestFind_ListsKnownFields(t *testing.T) {
	objects, err := manifests.Decode([]byte("apiVersion: specs.smi-spec.io/v1alpha4\nkind: TCPRoute\nmetadata: {name: a}\nspec: {matches: {port: [1]}}"))
	if err != nil {
		t.Fatal(err)
	}
	want := []fields.Unknown{{Path: "spec.matches.port", Known: []string{"name", "ports"}}}
	if diff := cmp.Diff(want, read(t).Find(objects[0])); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// The samples have no unknown fields.
func TestFind_AcceptsSamples(t *testing.T) {
	files, err := manifests.Files(filepath.Join("..", "..", "..", "config", "samples"))
	if err != nil {
		t.Fatal(err)
	}
	objects, err := manifests.Read(files)
	if err != nil || len(objects) < 20 {
		t.Fatalf("%d objects, %v", len(objects), err)
	}
	schemas := read(t)
	for _, object := range objects {
		for _, unknown := range schemas.Find(object) {
			t.Errorf("%s %s has the unknown field %s: known are %s", object.GetKind(), object.GetName(), unknown.Path, strings.Join(unknown.Known, ", "))
		}
	}
}
