package dryrun

import (
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	builtin "k8s.io/client-go/kubernetes/scheme"

	"github.com/openservicemesh/osm-operator/config/crd"
	"github.com/openservicemesh/osm-operator/controllers/operator/mesh"
)

// A plan of a mesh applies the definitions of the Service Mesh Interface.
func TestDefinitionsHaveATypedForm(t *testing.T) {
	// Other packages of a program add kinds to the shared scheme, as controller-runtime's envtest does.
	if err := apiextensionsv1.AddToScheme(builtin.Scheme); err != nil {
		t.Fatal(err)
	}
	definitions, err := mesh.ReadDefinitions(crd.SMI)
	if err != nil {
		t.Fatal(err)
	}
	converter, err := schemas()
	if err != nil {
		t.Fatal(err)
	}
	for _, definition := range definitions {
		if _, err := converter.ObjectToTyped(definition); err != nil {
			t.Errorf("%s: %v", definition.GetName(), err)
		}
	}
}
