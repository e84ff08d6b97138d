package dryrun

import (
	"io/fs"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	builtin "k8s.io/client-go/kubernetes/scheme"

	"github.com/openservicemesh/osm-operator/config/crd"
	"github.com/openservicemesh/osm-operator/internal/operator/operand"
)

// A plan of a mesh applies the definitions of the Service Mesh Interface and of the Multi-Cluster Services API.
func TestDefinitionsHaveATypedForm(t *testing.T) {
	// Other packages of a program add kinds to the shared scheme, as controller-runtime's envtest does.
	if err := apiextensionsv1.AddToScheme(builtin.Scheme); err != nil {
		t.Fatal(err)
	}
	converter, err := schemas()
	if err != nil {
		t.Fatal(err)
	}
	for _, definition := range append(decode(t, crd.SMI), decode(t, crd.MCS)...) {
		if _, err := converter.ObjectToTyped(definition); err != nil {
			t.Errorf("%s: %v", definition.GetName(), err)
		}
	}
}

// decode returns the definitions of a folder.
func decode(t *testing.T, folder fs.FS) []*unstructured.Unstructured {
	t.Helper()
	files, err := fs.Glob(folder, "*/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d definitions: %v", len(files), err)
	}
	var all []*unstructured.Unstructured
	for _, file := range files {
		text, err := fs.ReadFile(folder, file)
		if err != nil {
			t.Fatal(err)
		}
		definitions, err := operand.DecodeYAML(text)
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		all = append(all, definitions...)
	}
	return all
}
