package crdreference

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
)

// Field is one field of a schema.
type Field struct {
	// Path leads from the root of the object to the field. Elements of a list are [], values of a map are [*].
	Path     string
	Type     string
	Required bool
	Default  string
	// Validation has one entry for each constraint.
	Validation  []string
	Description string
}

// appendFields adds all fields below a schema, parents before their children.
func appendFields(fields []Field, path string, schema *apiextensionsv1.JSONSchemaProps) []Field {
	for _, name := range slices.Sorted(maps.Keys(schema.Properties)) {
		property := schema.Properties[name]
		child := strings.TrimPrefix(path+"."+name, ".")
		field := newField(child, &property, slices.Contains(schema.Required, name))
		if isOfPods(name) {
			field.Description += " Its fields are those of the spec of a pod."
			fields = append(fields, field)
			continue
		}
		fields = appendFields(append(fields, field), child, &property)
	}
	if item := itemOf(schema); item != nil {
		fields = appendFields(fields, path+"[]", item)
	}
	if value := valueOf(schema); value != nil {
		fields = appendFields(fields, path+"[*]", value)
	}
	return fields
}

// isOfPods reports whether a field has a large type that also pods have. The definitions do not describe what is below it.
func isOfPods(name string) bool {
	return slices.Contains([]string{"affinity", "resources", "tolerations", "topologySpreadConstraints"}, name)
}

func newField(path string, schema *apiextensionsv1.JSONSchemaProps, required bool) Field {
	description, fallback := cutDefault(joinLines(schema.Description))
	if schema.Default != nil {
		fallback = "`" + string(schema.Default.Raw) + "`"
	}
	return Field{
		Path: path, Type: formatType(schema), Required: required, Default: fallback,
		Validation: validationOf(schema), Description: description,
	}
}

// defaultSentence is the sentence by which the types of the project document a default that is not in the schema. It ends at a period
// that ends a sentence: versions and images contain periods too.
var defaultSentence = regexp.MustCompile(`(?:^| )Default: (.+?)(?:\.( [A-Z]|$)|$)`)

// cutDefault splits a description into the default that it documents and the rest.
func cutDefault(description string) (rest, fallback string) {
	at := defaultSentence.FindStringSubmatchIndex(description)
	if at == nil {
		return description, ""
	}
	end := at[1]
	if at[4] >= 0 {
		end = at[4]
	}
	return strings.TrimSpace(description[:at[0]] + description[end:]), description[at[2]:at[3]]
}

// joinLines replaces line breaks and repeated spaces by one space.
func joinLines(text string) string { return strings.Join(strings.Fields(text), " ") }

func itemOf(schema *apiextensionsv1.JSONSchemaProps) *apiextensionsv1.JSONSchemaProps {
	if schema.Items == nil {
		return nil
	}
	return schema.Items.Schema
}

func valueOf(schema *apiextensionsv1.JSONSchemaProps) *apiextensionsv1.JSONSchemaProps {
	if schema.AdditionalProperties == nil {
		return nil
	}
	return schema.AdditionalProperties.Schema
}

// formatRules returns the messages of the CEL rules of a schema, or the rules themselves if they have no message.
func formatRules(schema *apiextensionsv1.JSONSchemaProps) []string {
	var out []string
	for _, rule := range schema.XValidations {
		switch {
		case rule.Message != "":
			out = append(out, joinLines(rule.Message))
		case rule.MessageExpression != "":
			out = append(out, formatMessage(rule.MessageExpression))
		default:
			out = append(out, "`"+joinLines(rule.Rule)+"`")
		}
	}
	return out
}

var (
	// literal is a string of CEL.
	literal = regexp.MustCompile(`'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)"`)
	// placeholder is an argument of the function format.
	placeholder = regexp.MustCompile(`%[a-z]`)
	// arguments are the values for the placeholders.
	arguments = regexp.MustCompile(`(?s)\.format\(.*?\]\)`)
)

// formatMessage returns the fixed parts of a message that is a CEL expression, with ... for the parts that depend on the object.
func formatMessage(expression string) string {
	var parts []string
	for _, found := range literal.FindAllStringSubmatch(arguments.ReplaceAllString(expression, ""), -1) {
		parts = append(parts, found[1]+found[2])
	}
	return joinLines(placeholder.ReplaceAllString(strings.Join(parts, "..."), "..."))
}

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
