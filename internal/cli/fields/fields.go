package fields

import (
	"fmt"
	"io/fs"
	"maps"
	"slices"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/yaml"

	"github.com/openservicemesh/osm-operator/config/crd"
)

// Schemas are the schemas of kinds.
type Schemas map[schema.GroupVersionKind]*apiextensionsv1.JSONSchemaProps

// Unknown is a field that a kind does not have.
type Unknown struct {
	// Path leads to the field, such as spec.sources[0].kin.
	Path string
	// Known are the fields that exist there, sorted.
	Known []string
}

// Read reads the schemas of the project's own kinds and of SMI's.
func Read() (Schemas, error) {
	schemas := Schemas{}
	for _, folder := range []fs.FS{crd.Own, crd.SMI} {
		files, err := fs.Glob(folder, "*/*.yaml")
		if err != nil {
			return nil, err
		}
		for _, file := range files {
			if err := schemas.add(folder, file); err != nil {
				return nil, fmt.Errorf("read the definition %s: %w", file, err)
			}
		}
	}
	return schemas, nil
}

// add adds the schemas of one definition.
func (s Schemas) add(folder fs.FS, file string) error {
	text, err := fs.ReadFile(folder, file)
	if err != nil {
		return err
	}
	var definition apiextensionsv1.CustomResourceDefinition
	if err := yaml.Unmarshal(text, &definition); err != nil {
		return err
	}
	for _, version := range definition.Spec.Versions {
		if version.Schema != nil {
			kind := schema.GroupVersionKind{Group: definition.Spec.Group, Version: version.Name, Kind: definition.Spec.Names.Kind}
			s[kind] = version.Schema.OpenAPIV3Schema
		}
	}
	return nil
}

// Find returns the unknown fields of an object, sorted by path.
func (s Schemas) Find(object *unstructured.Unstructured) []Unknown {
	known := s[object.GroupVersionKind()]
	if known == nil {
		return nil
	}
	content := maps.Clone(object.Object)
	delete(content, "metadata")
	return find("", content, known)
}

// find returns the unknown fields of a value.
func find(path string, value any, known *apiextensionsv1.JSONSchemaProps) []Unknown {
	var found []Unknown
	switch content := value.(type) {
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(content)) {
			found = append(found, findIn(path, name, content[name], known)...)
		}
	case []any:
		if known.Items == nil || known.Items.Schema == nil {
			return nil
		}
		for i, item := range content {
			found = append(found, find(fmt.Sprintf("%s[%d]", path, i), item, known.Items.Schema)...)
		}
	}
	return found
}

// findIn returns the unknown fields of a field of an object: the field itself, or fields below it.
func findIn(path, name string, value any, known *apiextensionsv1.JSONSchemaProps) []Unknown {
	if path != "" {
		path += "."
	}
	path += name
	if field, exists := known.Properties[name]; exists {
		return find(path, value, &field)
	}
	switch {
	case known.AdditionalProperties != nil && known.AdditionalProperties.Schema != nil:
		return find(path, value, known.AdditionalProperties.Schema)
	case known.AdditionalProperties != nil, len(known.Properties) == 0, known.XPreserveUnknownFields != nil && *known.XPreserveUnknownFields:
		return nil
	}
	return []Unknown{{Path: path, Known: slices.Sorted(maps.Keys(known.Properties))}}
}
