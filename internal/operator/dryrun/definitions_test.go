package dryrun

import (
	"io/fs"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	builtin "k8s.io/client-go/kubernetes/scheme"

	"github.com/openservicemesh/osm-operator/config/crd"
	"github.com/openservicemesh/osm-operator/internal/operator/operand"
)

// A plan of a mesh applies the definitions of the Service Mesh Interface.
func TestDefinitionsHaveATypedForm(t *testing.T) {
	// Other packages of a program add kinds to the shared scheme, as controller-runtime's envtest does.
	if err := apiextensionsv1.AddToScheme(builtin.Scheme); err != nil {
		t.Fatal(err)
	}
	converter, err := schemas()
	if err != nil {
		t.Fatal(err)
	}
	files, err := fs.Glob(crd.SMI, "*/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d definitions: %v", len(files), err)
	}
	for _, file := range files {
		text, err := fs.ReadFile(crd.SMI, file)
		if err != nil {
			t.Fatal(err)
		}
		definitions, err := operand.DecodeYAML(text)
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		for _, definition := range definitions {
			if _, err := converter.ObjectToTyped(definition); err != nil {
				t.Errorf("%s: %v", definition.GetName(), err)
			}
		}
	}
}
