package crd_test

import (
	"context"
	"io/fs"
	"os"
	"testing"
	"time"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/yaml"

	"github.com/openservicemesh/osm-operator/config/admission"
	"github.com/openservicemesh/osm-operator/config/crd"
)

// TestValidation checks every rule of the definitions and of the admission policies on a real API server: what it
// accepts, and the sentence with which it refuses.
func TestValidation(t *testing.T) {
	server := startServer(t)
	c := newClient(t, server)
	stored := storeOldTrafficSplits(t, server, c)
	install(t, server, definitions(t, crd.Own, crd.SMI))
	c = newClient(t, server)
	for _, ns := range namespaces() {
		create(t, c, ns)
	}
	t.Run("Mesh", func(t *testing.T) { testMesh(t, c) })
	t.Run("MeshRevision", func(t *testing.T) { testMeshRevision(t, c) })
	t.Run("MeshConfig", func(t *testing.T) { testMeshConfig(t, c) })
	t.Run("SMI", func(t *testing.T) { testSMI(t, c) })
	t.Run("StoredTrafficSplit", func(t *testing.T) { testStoredTrafficSplits(t, c, stored) })
	t.Run("Policies", func(t *testing.T) { testPolicies(t, c) })
	t.Run("Install", func(t *testing.T) { testInstall(t, c) })
}

// startServer starts an API server that stops with the test.
func startServer(t *testing.T) *rest.Config {
	t.Helper()
	if os.Getenv("KUBEBUILDER_ASSETS") == "" {
		t.Fatal("this test needs an API server: run `make test-envtest`, or set KUBEBUILDER_ASSETS to what `go run -C hack ./cluster assets` prints")
	}
	environment := &envtest.Environment{ControlPlaneStopTimeout: 20 * time.Second}
	config, err := environment.Start()
	if err != nil {
		t.Fatalf("the API server does not start: %v", err)
	}
	t.Cleanup(func() {
		if err := environment.Stop(); err != nil {
			t.Errorf("the API server does not stop: %v", err)
		}
	})
	return config
}

// newClient returns a client that knows the kinds which are installed now, and fails on unknown fields.
func newClient(t *testing.T, config *rest.Config) client.Client {
	t.Helper()
	c, err := client.New(config, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return client.WithFieldValidation(c, "Strict")
}

// definitions reads all definitions from file systems.
func definitions(t *testing.T, systems ...fs.FS) []*apiextensionsv1.CustomResourceDefinition {
	t.Helper()
	var all []*apiextensionsv1.CustomResourceDefinition
	for _, files := range systems {
		for _, content := range contents(t, files) {
			definition := &apiextensionsv1.CustomResourceDefinition{}
			if err := yaml.UnmarshalStrict(content, definition); err != nil {
				t.Fatal(err)
			}
			all = append(all, definition)
		}
	}
	return all
}

// contents returns the content of every file, in the order of their names.
func contents(t *testing.T, files fs.FS) [][]byte {
	t.Helper()
	var all [][]byte
	err := fs.WalkDir(files, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := fs.ReadFile(files, path)
		all = append(all, content)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func install(t *testing.T, config *rest.Config, definitions []*apiextensionsv1.CustomResourceDefinition) {
	t.Helper()
	if _, err := envtest.InstallCRDs(config, envtest.CRDInstallOptions{CRDs: definitions}); err != nil {
		t.Fatalf("the API server refuses a definition: %v", err)
	}
}

// installPolicies installs the admission policies and waits until they act, which the given object must show: it is
// refused from then on.
func installPolicies(t *testing.T, c client.Client, refused *unstructured.Unstructured) {
	t.Helper()
	for _, content := range contents(t, admission.Policies) {
		create(t, c, parse(t, string(content)))
	}
	err := wait.PollUntilContextTimeout(t.Context(), 100*time.Millisecond, 30*time.Second, true, func(ctx context.Context) (bool, error) {
		return c.Create(ctx, refused.DeepCopy(), client.DryRunAll) != nil, nil
	})
	if err != nil {
		t.Fatalf("the admission policies do not act: %v", err)
	}
}

// parse reads one object from YAML.
func parse(t *testing.T, text string) *unstructured.Unstructured {
	t.Helper()
	object := &unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte(text), &object.Object); err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	return object
}

func create(t *testing.T, c client.Client, object *unstructured.Unstructured) {
	t.Helper()
	if err := c.Create(t.Context(), object); err != nil {
		t.Fatalf("cannot create %s %s: %v", object.GetKind(), object.GetName(), err)
	}
}
