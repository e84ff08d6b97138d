package envtest

import (
	"io/fs"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/yaml"
)

// Start starts an API server and its etcd, which stop with the test. No controllers run: nothing collects garbage or makes a
// Deployment ready.
func Start(t *testing.T) *rest.Config {
	t.Helper()
	return StartServer(t).Config
}

// Install creates CustomResourceDefinitions and waits until the API server serves them.
func Install(t *testing.T, config *rest.Config, definitions ...*apiextensionsv1.CustomResourceDefinition) {
	t.Helper()
	if _, err := envtest.InstallCRDs(config, envtest.CRDInstallOptions{CRDs: definitions}); err != nil {
		t.Fatalf("a CustomResourceDefinition cannot be installed: %v", err)
	}
}

// Definitions reads all CustomResourceDefinitions from file systems, such as config/crd's.
func Definitions(t *testing.T, systems ...fs.FS) []*apiextensionsv1.CustomResourceDefinition {
	t.Helper()
	all, err := ReadDefinitions(systems...)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// ReadDefinitions is Definitions outside a test.
func ReadDefinitions(systems ...fs.FS) ([]*apiextensionsv1.CustomResourceDefinition, error) {
	var all []*apiextensionsv1.CustomResourceDefinition
	for _, files := range systems {
		err := fs.WalkDir(files, ".", func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			content, err := fs.ReadFile(files, path)
			if err != nil {
				return err
			}
			definition := &apiextensionsv1.CustomResourceDefinition{}
			all = append(all, definition)
			return yaml.UnmarshalStrict(content, definition)
		})
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}
