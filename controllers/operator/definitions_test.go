package operator_test

import (
	"fmt"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// The operator repairs every part of a CRD: schema, versions and names.
func TestDefinitionsAreRepaired(t *testing.T) {
	readyMesh(t, "defined", nil)
	waitNoWrites(t)
	definition := &apiextensionsv1.CustomResourceDefinition{ObjectMeta: metav1.ObjectMeta{Name: "tcproutes.specs.smi-spec.io"}}
	get(t, definition)
	earlier := definition.Spec.DeepCopy()
	for name, edit := range map[string]func(*apiextensionsv1.CustomResourceDefinitionSpec){
		"description": func(s *apiextensionsv1.CustomResourceDefinitionSpec) {
			s.Versions[0].Schema.OpenAPIV3Schema.Description = "x"
		},
		"properties": func(s *apiextensionsv1.CustomResourceDefinitionSpec) {
			delete(s.Versions[0].Schema.OpenAPIV3Schema.Properties, "spec")
		},
		"served": func(s *apiextensionsv1.CustomResourceDefinitionSpec) { s.Versions[0].Served = false },
		"an added version": func(s *apiextensionsv1.CustomResourceDefinitionSpec) {
			added := s.Versions[0].DeepCopy()
			added.Name, added.Storage = "v9", false
			s.Versions = append(s.Versions, *added)
		},
		"short names": func(s *apiextensionsv1.CustomResourceDefinitionSpec) { s.Names.ShortNames = []string{"other"} },
	} {
		change(t, definition, func(d *apiextensionsv1.CustomResourceDefinition) { edit(&d.Spec) })
		waitFor(t, definition, func(d *apiextensionsv1.CustomResourceDefinition) error {
			if !equal(*earlier, d.Spec) {
				return fmt.Errorf("%s: the CRD is not repaired", name)
			}
			return nil
		})
	}
}

func equal(a, b apiextensionsv1.CustomResourceDefinitionSpec) bool {
	return fmt.Sprint(a.Names) == fmt.Sprint(b.Names) && same(a.Versions, b.Versions)
}
