package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"sigs.k8s.io/yaml"
)

// embeddedFields are the fields with large types of Kubernetes. Their own descriptions are ours, and those below them are in the reference of
// pods. kubectl apply stores a definition in an annotation, which limits its size.
func embeddedFields() []string { return []string{"affinity", "topologySpreadConstraints"} }

// shortenDefinitions removes the descriptions below the embedded fields of the CustomResourceDefinitions in a directory.
func shortenDefinitions(directory string) error {
	names, err := filepath.Glob(filepath.Join(directory, "*.yaml"))
	if err != nil {
		return err
	}
	for _, name := range names {
		content, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		short, err := shortenDefinition(content)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if err := os.WriteFile(name, short, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// shortenDefinition returns a definition without the descriptions below embedded fields. One without such fields is returned as it is.
func shortenDefinition(content []byte) ([]byte, error) {
	var definition any
	if err := yaml.Unmarshal(content, &definition); err != nil {
		return nil, err
	}
	if !shortenFields(definition) {
		return content, nil
	}
	short, err := yaml.Marshal(definition)
	if err != nil {
		return nil, err
	}
	if bytes.HasPrefix(content, []byte("---\n")) {
		short = append([]byte("---\n"), short...)
	}
	return short, nil
}

// shortenFields removes the descriptions below each embedded field of a schema, and reports whether there is such a field.
func shortenFields(node any) bool {
	found := false
	for _, child := range children(node) {
		found = shortenFields(child) || found
	}
	properties, _ := fields(node)["properties"].(map[string]any)
	for _, name := range embeddedFields() {
		if field, ok := properties[name].(map[string]any); ok {
			for _, child := range children(field) {
				removeDescriptions(child)
			}
			found = true
		}
	}
	return found
}

// removeDescriptions removes the descriptions of a schema and of all below it. A property may have the name description.
func removeDescriptions(node any) {
	if _, isText := fields(node)["description"].(string); isText {
		delete(fields(node), "description")
	}
	for _, child := range children(node) {
		removeDescriptions(child)
	}
}

func fields(node any) map[string]any {
	m, _ := node.(map[string]any)
	return m
}

func children(node any) []any {
	list, _ := node.([]any)
	list = slices.Clone(list)
	for _, child := range fields(node) {
		list = append(list, child)
	}
	return list
}
