package crd_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/yaml"
)

// fieldPath is a path of fields between backticks. Braces, spaces and values after a colon are no part of it.
var fieldPath = regexp.MustCompile("`((?:[a-z][A-Za-z0-9]*(?:\\[\\])?\\.)+[a-z][A-Za-z0-9]*(?:\\[\\])?)(?::[^`]*)?`")

// otherPaths have the form of field paths, and are something else.
var otherPaths = regexp.MustCompile(`^images\.|^source\.principal$|\.openservicemesh\.io$`) // keys of the chart, an attribute of Envoy, names of policies

// TestDocumentedFieldsExist compares field paths in the documentation with the schemas. A path whose first field is one of a kind of this project must exist in one.
func TestDocumentedFieldsExist(t *testing.T) {
	schemas := schemasOf(t)
	found := 0
	check := func(path string) {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for number, line := range strings.Split(string(text), "\n") {
			for _, match := range fieldPath.FindAllStringSubmatch(line, -1) {
				fields := strings.Split(strings.ReplaceAll(match[1], "[]", ""), ".")
				if otherPaths.MatchString(match[1]) || !isOwn(schemas, fields) {
					continue
				}
				if found++; !exists(schemas, fields) {
					t.Errorf("%s:%d: no kind has the field %s", path, number+1, match[1])
				}
			}
		}
	}
	check("../../README.md")
	err := filepath.WalkDir("../../docs", func(path string, entry fs.DirEntry, err error) error {
		if err == nil && filepath.Ext(path) == ".md" {
			check(path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if found < 200 {
		t.Errorf("%d field paths are found: has their form changed?", found)
	}
}

// schemasOf returns the schemas of spec and status of all kinds and versions of this project.
func schemasOf(t *testing.T) []apiextensionsv1.JSONSchemaProps {
	t.Helper()
	var files []string
	for _, folder := range []string{"bases", "smi", "mcs"} {
		found, err := filepath.Glob(folder + "/*.yaml")
		if err != nil || len(found) == 0 {
			t.Fatalf("no definitions are found in %s: %v", folder, err)
		}
		files = append(files, found...)
	}
	var all []apiextensionsv1.JSONSchemaProps
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		definition := &apiextensionsv1.CustomResourceDefinition{}
		if err := yaml.Unmarshal(text, definition); err != nil {
			t.Fatal(err)
		}
		for _, version := range definition.Spec.Versions {
			for _, part := range []string{"spec", "status"} {
				if schema, has := version.Schema.OpenAPIV3Schema.Properties[part]; has {
					all = append(all, schema)
				}
			}
		}
	}
	return all
}

// withoutPart removes spec or status from the beginning of a path.
func withoutPart(fields []string) []string {
	if len(fields) > 1 && (fields[0] == "spec" || fields[0] == "status") {
		return fields[1:]
	}
	return fields
}

// isOwn reports whether a path is meant to be one of the project: its first field is one of a kind, with fields below.
func isOwn(schemas []apiextensionsv1.JSONSchemaProps, fields []string) bool {
	fields = withoutPart(fields)
	for _, schema := range schemas {
		first, has := schema.Properties[fields[0]]
		if has && len(fields) > 1 && (len(first.Properties) > 0 || first.Items != nil) {
			return true
		}
	}
	return false
}

// exists reports whether a schema has a path.
func exists(schemas []apiextensionsv1.JSONSchemaProps, fields []string) bool {
	fields = withoutPart(fields)
	for i := range schemas {
		if has(&schemas[i], fields) {
			return true
		}
	}
	return false
}

func has(schema *apiextensionsv1.JSONSchemaProps, fields []string) bool {
	if len(fields) == 0 || schema.XPreserveUnknownFields != nil && *schema.XPreserveUnknownFields {
		return true
	}
	if schema.Items != nil && schema.Items.Schema != nil {
		return has(schema.Items.Schema, fields)
	}
	if schema.AdditionalProperties != nil && schema.AdditionalProperties.Schema != nil {
		return has(schema.AdditionalProperties.Schema, fields[1:])
	}
	next, found := schema.Properties[fields[0]]
	return found && has(&next, fields[1:])
}
