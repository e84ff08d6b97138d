package crdreference

import (
	"regexp"
	"strings"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
)

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
