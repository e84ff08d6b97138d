package crdchange

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/yaml"
)

const before = `
metadata: {name: meshes.example.com}
spec:
  scope: Cluster
  names: {kind: Mesh, plural: meshes, shortNames: [m]}
  versions:
  - name: v1
    served: true
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec:
            type: object
            required: [a]
            properties:
              a: {type: string, default: x, enum: [x, w], minLength: 1, maxLength: 9}
              b: {type: array, maxItems: 3, items: {type: object, properties: {c: {type: integer}}}}
              d: {type: object, additionalProperties: {type: string}}
`

const place = "meshes.example.com/v1 spec"

func TestIncompatibleChangesAreReported(t *testing.T) {
	for name, c := range map[string]struct {
		edit string
		want []string
	}{
		"nothing":             {`{}`, nil},
		"new optional field":  {`{e: {type: object, required: [f], default: {f: 1}, properties: {f: {type: integer}}}}`, nil},
		"wider limits":        {`{a: {type: string, default: x, enum: [x, w, z], maxLength: 10}}`, nil},
		"field removed":       {`{b: null}`, []string{place + ".b: the field is removed"}},
		"item's type changed": {`{b: {type: array, maxItems: 3, items: {type: object, properties: {c: {type: string}}}}}`, []string{place + `.b.[].c: the type changes from "integer " to "string "`}},
		"field in item required": {
			`{b: {type: array, maxItems: 3, items: {type: object, required: [c], properties: {c: {type: integer}}}}}`, []string{place + ".b.[]: c becomes required"},
		},
		"map's type changed": {`{d: {type: object, additionalProperties: {type: integer}}}`, []string{place + `.d.{}: the type changes from "string " to "integer "`}},
		"default and enum": {`{a: {type: string, default: w, enum: [w], minLength: 1, maxLength: 9}}`, []string{
			place + `.a: the default changes from "x" to "w"`, place + `.a: the value "x" is removed`,
		}},
		"default removed": {`{a: {type: string, enum: [x, w], minLength: 1, maxLength: 9}}`, []string{place + `.a: the default changes from "x" to none`}},
		"narrower": {`{a: {type: string, default: x, enum: [x, w], minLength: 2, maxLength: 8, pattern: a}}`, []string{
			place + ".a: maxLength changes from 9 to 8", place + ".a: minLength changes from 1 to 2", place + `.a: the pattern changes from "" to "a"`,
		}},
		"limits": {`{d: {type: object, maxProperties: 2, additionalProperties: {type: string, enum: [x]}}}`, []string{
			place + ".d.{}: values become limited to an enum", place + ".d: maxProperties becomes 2",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			var properties map[string]*apiextensionsv1.JSONSchemaProps
			parse(t, c.edit, &properties)
			after := definition(t)
			spec := after.Spec.Versions[0].Schema.OpenAPIV3Schema.Properties["spec"]
			for field, schema := range properties {
				if delete(spec.Properties, field); schema != nil {
					spec.Properties[field] = *schema
				}
			}
			if diff := cmp.Diff(c.want, Incompatible(definition(t), after)); diff != "" {
				t.Errorf("changes differ (-want +got):\n%s", diff)
			}
		})
	}
}

func TestChangedVersionsAndNamesAreReported(t *testing.T) {
	after := definition(t)
	after.Spec.Scope, after.Spec.Names.Kind, after.Spec.Names.ShortNames = "Namespaced", "Net", nil
	after.Spec.Versions[0].Served = false
	want := []string{
		"meshes.example.com: the kind or plural name changes", "meshes.example.com: the scope changes from Cluster to Namespaced",
		"meshes.example.com: the short name m is removed", "meshes.example.com: version v1 is no longer served",
	}
	if diff := cmp.Diff(want, Incompatible(definition(t), after)); diff != "" {
		t.Errorf("changes differ (-want +got):\n%s", diff)
	}
	after = definition(t)
	after.Spec.Versions = nil
	if diff := cmp.Diff([]string{"meshes.example.com: version v1 is removed"}, Incompatible(definition(t), after)); diff != "" {
		t.Errorf("changes differ (-want +got):\n%s", diff)
	}
	after = definition(t)
	after.Spec.Versions[0].Schema.OpenAPIV3Schema.Properties["spec"] = apiextensionsv1.JSONSchemaProps{Type: "object", Required: []string{"a", "n"}}
	want = []string{place + ".a: the field is removed", place + ".b: the field is removed", place + ".d: the field is removed", place + ": n becomes required"}
	if diff := cmp.Diff(want, Incompatible(definition(t), after)); diff != "" {
		t.Errorf("changes differ (-want +got):\n%s", diff)
	}
}

func definition(t *testing.T) *apiextensionsv1.CustomResourceDefinition {
	t.Helper()
	d := &apiextensionsv1.CustomResourceDefinition{}
	parse(t, before, d)
	return d
}

func parse(t *testing.T, text string, into any) {
	t.Helper()
	if err := yaml.Unmarshal([]byte(text), into); err != nil {
		t.Fatal(err)
	}
}
