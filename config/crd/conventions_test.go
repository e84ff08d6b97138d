package crd_test

import (
	"maps"
	"regexp"
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

// TestOneMeaningHasOneSpelling checks the fields of a Mesh and a MeshRevision for each rule of docs/decisions/0013-api-conventions.md. A field is
// recognized by its name or by its comment.
func TestOneMeaningHasOneSpelling(t *testing.T) {
	fields := operatorFields(t)
	for _, rule := range []struct {
		// applies recognizes a field, and follows checks its schema.
		name             string
		applies, follows func(field, comment string, schema apiextensionsv1.JSONSchemaProps) bool
		atLeast          int
		remedy           string
	}{
		{
			"durations",
			func(field, comment string, schema apiextensionsv1.JSONSchemaProps) bool {
				return regexp.MustCompile(`(?i)(duration|timeout|period|interval|seconds|minutes|hours)$`).MatchString(field) ||
					regexp.MustCompile(`^\w+ is (how long|the time between)`).MatchString(comment) || strings.Contains(schema.Pattern, "ms)")
			},
			func(_, _ string, schema apiextensionsv1.JSONSchemaProps) bool {
				return schema.Type == "string" && schema.Pattern == durationPattern && schema.MaxLength != nil
			},
			5, "use the type Duration",
		},
		{
			"CA bundles",
			func(field, comment string, _ apiextensionsv1.JSONSchemaProps) bool {
				return regexp.MustCompile(`([bB]undle|CA|CAs|[rR]oots)$`).MatchString(field) || strings.Contains(comment, "PEM")
			},
			func(field, _ string, schema apiextensionsv1.JSONSchemaProps) bool {
				return (field == "caBundle" || strings.HasSuffix(field, "CABundle")) && schema.Type == "string" && schema.Format == "" && len(schema.XValidations) == 1
			},
			4, "name it caBundle, or with the suffix CABundle, and use the type CABundle",
		},
		{
			"percentages",
			func(field, comment string, schema apiextensionsv1.JSONSchemaProps) bool {
				return regexp.MustCompile(`(?i)(percent|percentage|rate|ratio|increase|sampling)$`).MatchString(field) ||
					strings.Contains(comment, "percentage") || strings.Contains(comment, "percent ") || strings.Contains(schema.Pattern, "%")
			},
			func(field, _ string, schema apiextensionsv1.JSONSchemaProps) bool {
				ofAutoscaler := field == "targetCPUUtilizationPercentage" && schema.Type == "integer"
				return ofAutoscaler || schema.XIntOrString && len(schema.XValidations) == 1 || schema.Type == "string" && schema.Pattern == percentagePattern
			},
			5, "use the type Percentage, or IntOrString for what may be a number too",
		},
		{
			"switches",
			func(_, _ string, schema apiextensionsv1.JSONSchemaProps) bool { return schema.Type == "boolean" },
			func(field, _ string, _ apiextensionsv1.JSONSchemaProps) bool {
				return slices.Contains([]string{"paused", "permissive", "egress", "enabled", "follow"}, field)
			},
			4, "name the behavior, or call it enabled; a component has a mode",
		},
	} {
		found := 0
		for _, path := range fieldPaths(fields, "spec") {
			schema, field := fields[path], path[strings.LastIndexAny(path, ".")+1:]
			if isKubernetes(path) || !rule.applies(field, schema.Description, schema) {
				continue
			}
			found++
			if !rule.follows(field, schema.Description, schema) {
				t.Errorf("%s has another spelling than other %s: %s", path, rule.name, rule.remedy)
			}
		}
		if found < rule.atLeast {
			t.Errorf("%d %s were found, at least %d exist", found, rule.name, rule.atLeast)
		}
	}
}

// durationPattern and percentagePattern are those of the types Duration and Percentage.
const (
	durationPattern   = `^([0-9]{1,5}(h|m|s|ms)){1,4}$`
	percentagePattern = `^(100|[0-9]{1,2}([.][0-9]{1,4})?)%$`
)

// isKubernetes reports whether a field is part of a type of Kubernetes.
func isKubernetes(path string) bool {
	return regexp.MustCompile(`\.(tolerations|affinity|topologySpreadConstraints|resources)[.\[]`).MatchString(path)
}
