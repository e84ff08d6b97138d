package crd_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// testInstall applies the manifests of the operator, the samples, and the NetworkPolicies of the components. It checks that the pod of the operator complies with the pod
// security level of its namespace.
func testInstall(t *testing.T, c client.Client) {
	for _, name := range []string{"bookbuyer", "bookstore", "osm-system"} {
		create(t, c, parse(t, "{apiVersion: v1, kind: Namespace, metadata: {name: "+name+"}}"))
	}
	files := []string{"../../dist/install.yaml"}
	for _, pattern := range []string{"../samples/*_*.yaml", "../components/networkpolicy/op*.yaml", "../components/mesh-networkpolicy/[cip]*.yaml"} {
		found, err := filepath.Glob(pattern)
		if err != nil || len(found) == 0 {
			t.Fatalf("there are no files %s: %v", pattern, err)
		}
		files = append(files, found...)
	}
	for _, file := range files {
		for _, object := range objects(t, file) {
			err := c.Apply(t.Context(), client.ApplyConfigurationFromUnstructured(object.DeepCopy()), client.FieldOwner("test"), client.ForceOwnership)
			if err != nil {
				t.Errorf("%s %s of %s is rejected: %v", object.GetKind(), object.GetName(), file, err)
			}
			if object.GetKind() == "Deployment" {
				checkPod(t, c, object)
			}
		}
	}
}

// objects reads all objects of a file.
func objects(t *testing.T, file string) []*unstructured.Unstructured {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(content), 4096)
	var all []*unstructured.Unstructured
	for {
		object := &unstructured.Unstructured{}
		err := decoder.Decode(&object.Object)
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		all = append(all, object)
	}
}

// checkPod creates a pod of the Deployment in a dry run. A pod on the host network must be rejected, which shows that the namespace
// enforces a pod security level.
func checkPod(t *testing.T, c client.Client, deployment *unstructured.Unstructured) {
	t.Helper()
	spec, found, err := unstructured.NestedMap(deployment.Object, "spec", "template", "spec")
	if err != nil || !found {
		t.Fatalf("Deployment %s has no pod: %v", deployment.GetName(), err)
	}
	pod := &unstructured.Unstructured{Object: map[string]any{"spec": spec}}
	pod.SetAPIVersion("v1")
	pod.SetKind("Pod")
	pod.SetName("test")
	pod.SetNamespace(deployment.GetNamespace())
	if err := c.Create(t.Context(), pod.DeepCopy(), client.DryRunAll); err != nil {
		t.Errorf("a pod of %s is rejected: %v", deployment.GetName(), err)
	}
	set(t, pod, "spec.hostNetwork", true)
	if err := c.Create(t.Context(), pod, client.DryRunAll); err == nil || !strings.Contains(err.Error(), "PodSecurity") {
		t.Errorf("a pod on the host network gets the error %v: the namespace %s should enforce a pod security level", err, pod.GetNamespace())
	}
}
