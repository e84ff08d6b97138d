package crdreference

import (
	"fmt"
	"strings"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
)

// formatType returns the type of a field in the words of Kubernetes.
func formatType(schema *apiextensionsv1.JSONSchemaProps) string {
	switch {
	case schema.XIntOrString:
		return "integer or string"
	case itemOf(schema) != nil:
		return "list of " + formatType(itemOf(schema))
	case valueOf(schema) != nil:
		return "map of " + formatType(valueOf(schema))
	case schema.XPreserveUnknownFields != nil && *schema.XPreserveUnknownFields && len(schema.Properties) == 0:
		return "any"
	}
	return schema.Type
}

// validationOf returns the constraints of a field, and those of the elements of a list or map of plain values.
func validationOf(schema *apiextensionsv1.JSONSchemaProps) []string {
	out := ownValidation(schema)
	if item := itemOf(schema); item != nil {
		out = appendPrefixed(out, "each: ", ownValidation(item))
	}
	if value := valueOf(schema); value != nil {
		out = appendPrefixed(out, "each value: ", ownValidation(value))
	}
	return out
}

func appendPrefixed(out []string, prefix string, more []string) []string {
	for _, text := range more {
		out = append(out, prefix+text)
	}
	return out
}

func ownValidation(schema *apiextensionsv1.JSONSchemaProps) []string {
	var out []string
	if len(schema.Enum) > 0 {
		out = append(out, "one of "+formatEnum(schema.Enum))
	}
	if schema.Format != "" && schema.Format != "int32" && schema.Format != "int64" {
		out = append(out, "format "+schema.Format)
	}
	if schema.Pattern != "" {
		out = append(out, "pattern `"+schema.Pattern+"`")
	}
	out = append(out, formatNumbers(schema)...)
	out = appendRange(out, "characters", schema.MinLength, schema.MaxLength)
	out = appendRange(out, "items", schema.MinItems, schema.MaxItems)
	out = appendRange(out, "entries", schema.MinProperties, schema.MaxProperties)
	if keys := schema.XListMapKeys; len(keys) > 0 {
		out = append(out, "unique by "+strings.Join(keys, ", "))
	}
	if schema.XListType != nil && *schema.XListType == "set" {
		out = append(out, "unique items")
	}
	return append(out, formatRules(schema)...)
}

func formatEnum(values []apiextensionsv1.JSON) string {
	quoted := make([]string, len(values))
	for i, value := range values {
		quoted[i] = "`" + strings.Trim(string(value.Raw), `"`) + "`"
	}
	return strings.Join(quoted, ", ")
}

func formatNumbers(schema *apiextensionsv1.JSONSchemaProps) []string {
	var out []string
	if schema.Minimum != nil {
		out = append(out, fmt.Sprintf("%s %v", comparison("at least", "more than", schema.ExclusiveMinimum), *schema.Minimum))
	}
	if schema.Maximum != nil {
		out = append(out, fmt.Sprintf("%s %.f", comparison("at most", "less than", schema.ExclusiveMaximum), *schema.Maximum))
	}
	return out
}

func comparison(inclusive, exclusive string, isExclusive bool) string {
	if isExclusive {
		return exclusive
	}
	return inclusive
}

// appendRange adds the bounds of a length. A lower bound of 0 is no constraint.
func appendRange(out []string, unit string, least, most *int64) []string {
	hasLeast := least != nil && *least > 0
	switch {
	case hasLeast && most != nil:
		return append(out, fmt.Sprintf("%d to %d %s", *least, *most, unit))
	case hasLeast:
		return append(out, fmt.Sprintf("at least %d %s", *least, unit))
	case most != nil:
		return append(out, fmt.Sprintf("at most %d %s", *most, unit))
	}
	return out
}
