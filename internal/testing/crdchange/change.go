package crdchange

import (
	"fmt"
	"slices"
	"strings"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
)

// Incompatible returns the incompatible changes from one version of a definition to the next, sorted. Each begins with the name of the
// definition and the path of the field, such as "meshes.operator.openservicemesh.io/v1alpha1 spec.traffic.egress: ".
func Incompatible(before, after *apiextensionsv1.CustomResourceDefinition) []string {
	c := &comparison{}
	c.names(before, after)
	for _, version := range before.Spec.Versions {
		i := slices.IndexFunc(after.Spec.Versions, func(v apiextensionsv1.CustomResourceDefinitionVersion) bool { return v.Name == version.Name })
		if i < 0 {
			c.add(before.Name, "version %s is removed", version.Name)
			continue
		}
		if next := after.Spec.Versions[i]; version.Served && !next.Served {
			c.add(before.Name, "version %s is no longer served", version.Name)
		}
		c.schemas(before.Name+"/"+version.Name, version.Schema, after.Spec.Versions[i].Schema)
	}
	slices.Sort(c.changes)
	return c.changes
}

// comparison collects changes.
type comparison struct{ changes []string }

func (c *comparison) add(place, format string, args ...any) {
	c.changes = append(c.changes, place+": "+fmt.Sprintf(format, args...))
}

// names compares what clients address objects by.
func (c *comparison) names(before, after *apiextensionsv1.CustomResourceDefinition) {
	if before.Spec.Scope != after.Spec.Scope {
		c.add(before.Name, "the scope changes from %s to %s", before.Spec.Scope, after.Spec.Scope)
	}
	if before.Spec.Names.Kind != after.Spec.Names.Kind || before.Spec.Names.Plural != after.Spec.Names.Plural {
		c.add(before.Name, "the kind or plural name changes")
	}
	for _, short := range before.Spec.Names.ShortNames {
		if !slices.Contains(after.Spec.Names.ShortNames, short) {
			c.add(before.Name, "the short name %s is removed", short)
		}
	}
}

// schemas compares the schemas of a version.
func (c *comparison) schemas(place string, before, after *apiextensionsv1.CustomResourceValidation) {
	if before == nil || before.OpenAPIV3Schema == nil {
		return
	}
	if after == nil || after.OpenAPIV3Schema == nil {
		c.add(place, "the schema is removed")
		return
	}
	old, current := flatten(before.OpenAPIV3Schema), flatten(after.OpenAPIV3Schema)
	for path, schema := range old {
		next, exists := current[path]
		if _, parentExists := current[parent(path)]; !exists && !parentExists {
			continue // reported once, for the parent
		}
		field := place + " " + path
		if !exists {
			c.add(field, "the field is removed")
			continue
		}
		c.field(field, schema, next)
	}
}

// parent returns the path of the object that contains a field. The root is its own parent.
func parent(path string) string {
	return path[:max(0, strings.LastIndex(path, "."))]
}

// field compares the schemas of one field.
func (c *comparison) field(place string, before, after *apiextensionsv1.JSONSchemaProps) {
	if before.Type != after.Type || before.Format != after.Format || before.XIntOrString != after.XIntOrString {
		c.add(place, "the type changes from %q to %q", before.Type+" "+before.Format, after.Type+" "+after.Format)
	}
	if text(before.Default) != text(after.Default) {
		c.add(place, "the default changes from %s to %s", text(before.Default), text(after.Default))
	}
	for _, name := range after.Required {
		if !slices.Contains(before.Required, name) {
			c.add(place, "%s becomes required", name)
		}
	}
	c.enum(place, before.Enum, after.Enum)
	if after.Pattern != before.Pattern && after.Pattern != "" {
		c.add(place, "the pattern changes from %q to %q", before.Pattern, after.Pattern)
	}
	for _, limit := range limits(before, after) {
		limit.compare(c, place)
	}
	if before.XPreserveUnknownFields != nil && *before.XPreserveUnknownFields && (after.XPreserveUnknownFields == nil || !*after.XPreserveUnknownFields) {
		c.add(place, "unknown fields are no longer kept")
	}
}

func text(value *apiextensionsv1.JSON) string {
	if value == nil {
		return "none"
	}
	return string(value.Raw)
}

// enum compares allowed values. No values allow all.
func (c *comparison) enum(place string, before, after []apiextensionsv1.JSON) {
	if len(after) == 0 {
		return
	}
	if len(before) == 0 {
		c.add(place, "values become limited to an enum")
		return
	}
	for _, value := range before {
		if !slices.ContainsFunc(after, func(v apiextensionsv1.JSON) bool { return string(v.Raw) == string(value.Raw) }) {
			c.add(place, "the value %s is removed", value.Raw)
		}
	}
}

// flatten returns the schemas of all fields by their paths. The path of list items ends in .[], that of map values in .{}. The root has
// the empty path.
func flatten(root *apiextensionsv1.JSONSchemaProps) map[string]*apiextensionsv1.JSONSchemaProps {
	all := map[string]*apiextensionsv1.JSONSchemaProps{}
	collect(all, "", root)
	return all
}

func collect(all map[string]*apiextensionsv1.JSONSchemaProps, path string, schema *apiextensionsv1.JSONSchemaProps) {
	all[path] = schema
	prefix := path + "."
	if path == "" {
		prefix = ""
	}
	for name, property := range schema.Properties {
		collect(all, prefix+name, &property)
	}
	if schema.Items != nil && schema.Items.Schema != nil {
		collect(all, prefix+"[]", schema.Items.Schema)
	}
	if schema.AdditionalProperties != nil && schema.AdditionalProperties.Schema != nil {
		collect(all, prefix+"{}", schema.AdditionalProperties.Schema)
	}
}

// limit is a limit of a field in both versions; nil means none.
type limit struct {
	name          string
	before, after *float64
	// isMinimum is true for lower limits.
	isMinimum bool
}

// limits returns the limits of a field.
func limits(before, after *apiextensionsv1.JSONSchemaProps) []limit {
	return []limit{
		{"minimum", before.Minimum, after.Minimum, true},
		{"maximum", before.Maximum, after.Maximum, false},
		{"minLength", number(before.MinLength), number(after.MinLength), true},
		{"maxLength", number(before.MaxLength), number(after.MaxLength), false},
		{"minItems", number(before.MinItems), number(after.MinItems), true},
		{"maxItems", number(before.MaxItems), number(after.MaxItems), false},
		{"minProperties", number(before.MinProperties), number(after.MinProperties), true},
		{"maxProperties", number(before.MaxProperties), number(after.MaxProperties), false},
	}
}

func number(value *int64) *float64 {
	if value == nil {
		return nil
	}
	converted := float64(*value)
	return &converted
}

// compare reports a limit that is new or narrower.
func (l limit) compare(c *comparison, place string) {
	switch {
	case l.after == nil:
	case l.before == nil:
		c.add(place, "%s becomes %v", l.name, *l.after)
	case l.isMinimum && *l.after > *l.before, !l.isMinimum && *l.after < *l.before:
		c.add(place, "%s changes from %v to %v", l.name, *l.before, *l.after)
	}
}
