package crd_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"

	"github.com/openservicemesh/osm-operator/config/crd"
)

// operatorGroup is the group whose definitions follow the rules of docs/decisions/0013-api-conventions.md. OSM's and SMI's kinds keep their
// own spellings.
const operatorGroup = "operator.openservicemesh.io"

// operatorFields returns the schema of each field of the kinds of the operator, by kind and path, such as "Mesh spec.namespace". Items of
// lists have the suffix [], values of maps {}.
func operatorFields(t *testing.T) map[string]apiextensionsv1.JSONSchemaProps {
	t.Helper()
	fields := map[string]apiextensionsv1.JSONSchemaProps{}
	for _, definition := range definitions(t, crd.Own) {
		if definition.Spec.Group == operatorGroup {
			addFields(fields, definition.Spec.Names.Kind+" ", *definition.Spec.Versions[0].Schema.OpenAPIV3Schema)
		}
	}
	if len(fields) == 0 {
		t.Fatal("the group has no fields")
	}
	return fields
}

// addFields adds the fields below a schema.
func addFields(fields map[string]apiextensionsv1.JSONSchemaProps, path string, schema apiextensionsv1.JSONSchemaProps) {
	fields[path] = schema
	for name, property := range schema.Properties {
		addFields(fields, strings.TrimPrefix(path+"."+name, "."), property)
	}
	if schema.Items != nil {
		addFields(fields, path+"[]", *schema.Items.Schema)
	}
	if schema.AdditionalProperties != nil && schema.AdditionalProperties.Schema != nil {
		addFields(fields, path+"{}", *schema.AdditionalProperties.Schema)
	}
}

// fieldPaths are the paths below spec or status, sorted.
func fieldPaths(fields map[string]apiextensionsv1.JSONSchemaProps, below string) []string {
	var paths []string
	for _, path := range slices.Sorted(maps.Keys(fields)) {
		if strings.Contains(path, " ."+below) {
			paths = append(paths, path)
		}
	}
	return paths
}

// TestStatusHasNoEnumeration checks that an operator which is newer than the definitions can write each status. The status of a condition
// is Kubernetes' own.
func TestStatusHasNoEnumeration(t *testing.T) {
	fields := operatorFields(t)
	paths := fieldPaths(fields, "status")
	if len(paths) < 50 {
		t.Fatalf("the statuses have %d fields", len(paths))
	}
	for _, path := range paths {
		if len(fields[path].Enum) > 0 && !strings.HasSuffix(path, ".conditions[].status") {
			t.Errorf("%s has the values %s: describe them in the comment only", path, fields[path].Enum)
		}
	}
}
