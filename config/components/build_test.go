package components

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

// objects are rendered manifests.
type objects []*unstructured.Unstructured

// build renders a kustomization as a user writes it, in a folder next to the components.
func build(t *testing.T, kustomization string) objects {
	t.Helper()
	folder, err := os.MkdirTemp(".", "testdata-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(folder); err != nil {
			t.Error(err)
		}
	})
	if err := os.WriteFile(filepath.Join(folder, "kustomization.yaml"), []byte(kustomization), 0o600); err != nil {
		t.Fatal(err)
	}
	rendered, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), folder)
	if err != nil {
		t.Fatal(err)
	}
	text, err := rendered.AsYaml()
	if err != nil {
		t.Fatal(err)
	}
	return parse(t, text)
}

// readManifests reads the objects of the control plane of this version.
func readManifests(t *testing.T, name string) objects {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../../internal/operator/operand/manifests/current", name))
	if err != nil {
		t.Fatal(err)
	}
	return parse(t, text)
}

func parse(t *testing.T, text []byte) objects {
	t.Helper()
	var found objects
	decoder := utilyaml.NewYAMLOrJSONDecoder(bytes.NewReader(text), 4096)
	for {
		object := &unstructured.Unstructured{}
		if err := decoder.Decode(object); errors.Is(err, io.EOF) {
			return found
		} else if err != nil {
			t.Fatal(err)
		}
		if len(object.Object) > 0 {
			found = append(found, object)
		}
	}
}

// decode returns the object as its Go type. A field that the type does not have is an error.
func decode[T any](t *testing.T, all objects, kind, name string) *T {
	t.Helper()
	for _, object := range all {
		if object.GetKind() != kind || object.GetName() != name {
			continue
		}
		text, err := yaml.Marshal(object)
		if err != nil {
			t.Fatal(err)
		}
		typed := new(T)
		if err := yaml.UnmarshalStrict(text, typed); err != nil {
			t.Fatalf("%s %s: %v", kind, name, err)
		}
		return typed
	}
	t.Fatalf("there is no %s %s", kind, name)
	return nil
}
