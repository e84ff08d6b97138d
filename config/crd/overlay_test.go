package crd_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// testOverlay applies a kustomization with another namespace in a dry run: the operator runs in any namespace.
func testOverlay(t *testing.T, c client.Client) {
	create(t, c, parse(t, "{apiVersion: v1, kind: Namespace, metadata: {name: platform}}"))
	for _, object := range overlay(t, "platform") {
		if namespace := object.GetNamespace(); namespace != "" && namespace != "platform" {
			t.Errorf("%s %s is in namespace %s", object.GetKind(), object.GetName(), namespace)
		}
		if object.GetKind() == "Namespace" && object.GetName() != "platform" {
			t.Errorf("the namespace is %s", object.GetName())
		}
		err := c.Apply(t.Context(), client.ApplyConfigurationFromUnstructured(object.DeepCopy()), client.FieldOwner("overlay"), client.ForceOwnership, client.DryRunAll)
		if err != nil {
			t.Errorf("%s %s is rejected: %v", object.GetKind(), object.GetName(), err)
		}
	}
}

// overlay renders the manifests of the operator for a namespace.
func overlay(t *testing.T, namespace string) []*unstructured.Unstructured {
	t.Helper()
	folder, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	base, err := filepath.Abs("../default")
	if err == nil {
		base, err = filepath.Rel(folder, base)
	}
	if err != nil {
		t.Fatal(err)
	}
	text := "namespace: " + namespace + "\nresources: [" + base + "]\n"
	if err := os.WriteFile(filepath.Join(folder, "kustomization.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var stderr bytes.Buffer
	cmd := exec.CommandContext(t.Context(), filepath.Join(os.Getenv("KUBEBUILDER_ASSETS"), "kubectl"), "kustomize", folder)
	cmd.Stderr = &stderr
	rendered, err := cmd.Output()
	if err != nil {
		t.Fatalf("kubectl kustomize: %v: %s", err, &stderr)
	}
	file := filepath.Join(folder, "rendered.yaml")
	if err := os.WriteFile(file, rendered, 0o600); err != nil {
		t.Fatal(err)
	}
	return objects(t, file)
}
