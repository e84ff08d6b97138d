package crdreference

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/yaml"
)

// Kind is one kind of the API, with all its served versions.
type Kind struct {
	Name       string
	Group      string
	Plural     string
	ShortNames []string
	Scope      string
	Versions   []Version
}

// Version is one served version of a kind.
type Version struct {
	Name string
	// Deprecation is what the API server answers to requests of this version. It is empty for a version that is not deprecated.
	Deprecation string
	Stored      bool
	Description string
	// Rules are the messages or expressions of the rules for the whole object.
	Rules []string
	// Same is the stored version, if it has the same fields, and empty otherwise.
	Same string
	// Spec and Status are the fields that users and the mesh write, in the order of their paths.
	Spec, Status []Field
}

// Parse reads one CustomResourceDefinition.
func Parse(definition []byte) (Kind, error) {
	var crd apiextensionsv1.CustomResourceDefinition
	if err := yaml.UnmarshalStrict(definition, &crd); err != nil {
		return Kind{}, fmt.Errorf("the definition is no CustomResourceDefinition: %w", err)
	}
	kind := Kind{
		Name:       crd.Spec.Names.Kind,
		Group:      crd.Spec.Group,
		Plural:     crd.Spec.Names.Plural,
		ShortNames: crd.Spec.Names.ShortNames,
		Scope:      string(crd.Spec.Scope),
	}
	for _, version := range crd.Spec.Versions {
		if !version.Served {
			continue
		}
		if version.Schema == nil || version.Schema.OpenAPIV3Schema == nil {
			return Kind{}, fmt.Errorf("version %s of %s has no schema", version.Name, crd.Name)
		}
		kind.Versions = append(kind.Versions, newVersion(version))
	}
	slices.SortStableFunc(kind.Versions, storedFirst)
	for i := 1; i < len(kind.Versions); i++ {
		first, version := kind.Versions[0], &kind.Versions[i]
		if reflect.DeepEqual(first.Spec, version.Spec) && reflect.DeepEqual(first.Status, version.Status) {
			version.Same = first.Name
		}
	}
	return kind, nil
}

// storedFirst puts the version that new objects should use before the others.
func storedFirst(a, b Version) int {
	switch {
	case a.Stored == b.Stored:
		return 0
	case a.Stored:
		return -1
	}
	return 1
}

func newVersion(version apiextensionsv1.CustomResourceDefinitionVersion) Version {
	root := version.Schema.OpenAPIV3Schema
	out := Version{Name: version.Name, Stored: version.Storage, Description: joinLines(root.Description), Rules: formatRules(root)}
	if version.Deprecated {
		out.Deprecation = "This version is deprecated."
		if version.DeprecationWarning != nil {
			out.Deprecation = *version.DeprecationWarning
		}
	}
	for _, field := range fieldsOf(root) {
		top, _, _ := strings.Cut(field.Path, ".")
		switch top {
		case "apiVersion", "kind", "metadata":
		case "status":
			out.Status = append(out.Status, field)
		default:
			out.Spec = append(out.Spec, field)
		}
	}
	return out
}
