package bundle

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"

	operatorsv1alpha1 "github.com/operator-framework/api/pkg/operators/v1alpha1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
)

// owned describes the kinds of a bundle, each served version of them.
func owned(definitions []apiextensionsv1.CustomResourceDefinition) []operatorsv1alpha1.CRDDescription {
	var all []operatorsv1alpha1.CRDDescription
	for i := range definitions {
		definition := &definitions[i]
		for j := range definition.Spec.Versions {
			if definition.Spec.Versions[j].Served {
				all = append(all, describe(definition, &definition.Spec.Versions[j]))
			}
		}
	}
	return all
}

func describe(definition *apiextensionsv1.CustomResourceDefinition, version *apiextensionsv1.CustomResourceDefinitionVersion) operatorsv1alpha1.CRDDescription {
	schema := version.Schema.OpenAPIV3Schema
	described := operatorsv1alpha1.CRDDescription{
		Name: definition.Name, Version: version.Name, Kind: definition.Spec.Names.Kind,
		DisplayName: title(definition.Spec.Names.Kind), Description: sentence(schema.Description), Resources: resources(definition.Spec.Names.Kind),
	}
	for _, name := range fields(schema, "spec") {
		described.SpecDescriptors = append(described.SpecDescriptors, operatorsv1alpha1.SpecDescriptor{
			Path: name, DisplayName: title(name), Description: sentence(schema.Properties["spec"].Properties[name].Description),
		})
	}
	for _, name := range fields(schema, "status") {
		descriptor := operatorsv1alpha1.StatusDescriptor{
			Path: name, DisplayName: title(name), Description: sentence(schema.Properties["status"].Properties[name].Description),
		}
		if name == "conditions" {
			descriptor.XDescriptors = []string{"urn:alm:descriptor:io.kubernetes.conditions"}
		}
		described.StatusDescriptors = append(described.StatusDescriptors, descriptor)
	}
	return described
}

// resources are the objects that an object of a kind creates.
func resources(kind string) []operatorsv1alpha1.APIResourceReference {
	switch kind {
	case "Mesh":
		return []operatorsv1alpha1.APIResourceReference{
			{Kind: "MeshRevision", Version: "v1alpha1"},
			{Kind: "MeshConfig", Version: "v1alpha2"},
			{Kind: "Deployment", Version: "v1"},
			{Kind: "Service", Version: "v1"},
			{Kind: "Secret", Version: "v1"},
			{Kind: "ConfigMap", Version: "v1"},
		}
	case "MeshRevision":
		return []operatorsv1alpha1.APIResourceReference{{Kind: "Deployment", Version: "v1"}, {Kind: "Service", Version: "v1"}}
	default:
		return nil
	}
}

// fields are the names of the fields of a part of a schema.
func fields(schema *apiextensionsv1.JSONSchemaProps, part string) []string {
	return slices.Sorted(maps.Keys(schema.Properties[part].Properties))
}

// title makes a title of a name such as controlPlane or MeshConfig.
func title(name string) string {
	var text strings.Builder
	runes := []rune(name)
	for i, r := range runes {
		starts := i > 0 && unicode.IsUpper(r) && (unicode.IsLower(runes[i-1]) || i+1 < len(runes) && unicode.IsLower(runes[i+1]))
		if starts {
			text.WriteRune(' ')
		}
		if i == 0 {
			r = unicode.ToUpper(r)
		}
		text.WriteRune(r)
	}
	return text.String()
}

// sentence is the first sentence of a description, without line breaks.
func sentence(description string) string {
	text := strings.Join(strings.Fields(description), " ")
	if end := strings.Index(text, ". "); end > 0 {
		return text[:end+1]
	}
	return text
}

// labels are the annotations of a bundle, and the labels of its image.
func labels() map[string]string {
	const prefix = "operators.operatorframework.io."
	return map[string]string{
		prefix + "bundle.mediatype.v1":       "registry+v1",
		prefix + "bundle.manifests.v1":       "manifests/",
		prefix + "bundle.metadata.v1":        "metadata/",
		prefix + "bundle.package.v1":         Package,
		prefix + "bundle.channels.v1":        Channels,
		prefix + "bundle.channel.default.v1": DefaultChannel,
		prefix + "test.mediatype.v1":         "scorecard+v1",
		prefix + "test.config.v1":            "tests/scorecard/",
	}
}

// annotationsFile is the file metadata/annotations.yaml.
func annotationsFile() []byte {
	var text strings.Builder
	text.WriteString("annotations:\n")
	all := labels()
	for _, key := range slices.Sorted(maps.Keys(all)) {
		fmt.Fprintf(&text, "  %s: %q\n", key, all[key])
	}
	return []byte(text.String())
}

// dockerfile builds the image of the bundle, with the folder bundle as its context.
func dockerfile() string {
	var text strings.Builder
	text.WriteString("FROM scratch\n\n")
	all := labels()
	for _, key := range slices.Sorted(maps.Keys(all)) {
		fmt.Fprintf(&text, "LABEL %s=%s\n", key, all[key])
	}
	text.WriteString("\nCOPY manifests /manifests/\nCOPY metadata /metadata/\nCOPY tests/scorecard /tests/scorecard/\n")
	return text.String()
}

// scorecard runs the tests that scorecard has for bundles. The test olm-crds-have-resources is missing: it requires that each kind has
// objects of its own, which policies do not have.
const scorecard = `apiVersion: scorecard.operatorframework.io/v1alpha3
kind: Configuration
metadata:
  name: config
stages:
- parallel: true
  tests:
  - {image: quay.io/operator-framework/scorecard-test:v1.41.1, entrypoint: [scorecard-test, basic-check-spec],
    labels: {suite: basic, test: basic-check-spec-test}}
  - {image: quay.io/operator-framework/scorecard-test:v1.41.1, entrypoint: [scorecard-test, olm-bundle-validation],
    labels: {suite: olm, test: olm-bundle-validation-test}}
  - {image: quay.io/operator-framework/scorecard-test:v1.41.1, entrypoint: [scorecard-test, olm-crds-have-validation],
    labels: {suite: olm, test: olm-crds-have-validation-test}}
  - {image: quay.io/operator-framework/scorecard-test:v1.41.1, entrypoint: [scorecard-test, olm-spec-descriptors],
    labels: {suite: olm, test: olm-spec-descriptors-test}}
  - {image: quay.io/operator-framework/scorecard-test:v1.41.1, entrypoint: [scorecard-test, olm-status-descriptors],
    labels: {suite: olm, test: olm-status-descriptors-test}}
`
