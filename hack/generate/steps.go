package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"sigs.k8s.io/yaml"

	"github.com/openservicemesh/osm-operator/hack/internal/build"
)

// step is one generator.
type step struct {
	// name selects the step on the command line; several steps may share it.
	name string
	// outputs are the glob patterns, relative to the root, of every file that the step writes.
	outputs []string
	// run writes the outputs.
	run func(ctx context.Context, g generator) error
}

// steps returns all generators, each after the ones it depends on.
func steps() []step {
	return []step{
		{
			name:    "code",
			outputs: []string{"api/*/*/zz_generated.deepcopy.go"},
			run: func(ctx context.Context, g generator) error {
				return g.controllerGen(ctx, "object", "paths=./api/...")
			},
		},
		{
			name:    "manifests",
			outputs: []string{"config/crd/bases/*.yaml"},
			run: func(ctx context.Context, g generator) error {
				if err := g.controllerGen(ctx, "crd", "paths=./api/...", "output:crd:dir=config/crd/bases"); err != nil {
					return err
				}
				return shortenDefinitions(filepath.Join(g.root, "config/crd/bases"))
			},
		},
		{
			name:    "manifests",
			outputs: []string{"dist/install.yaml"},
			run: func(ctx context.Context, g generator) error {
				return g.kustomize(ctx, "config/default", "dist/install.yaml")
			},
		},
		{
			name:    "manifests",
			outputs: []string{"bundle/*.Dockerfile", "bundle/*/*.yaml", "bundle/tests/scorecard/*.yaml"},
			run: func(ctx context.Context, g generator) error {
				_, err := g.output(ctx, "go", "run", "./internal/packaging/bundle/generate", "bundle")
				return err
			},
		},
		{
			name:    "manifests",
			outputs: []string{"dist/chart/*.*", "dist/chart/templates/*"},
			run: func(ctx context.Context, g generator) error {
				_, err := g.output(ctx, "go", "run", "./internal/packaging/chart/generate", "dist/chart")
				return err
			},
		},
		{
			name:    "docs",
			outputs: []string{"docs/cli/osm*.md", "docs/analysis.md", "docs/reasons.md", "docs/threats.md", "docs/reference/*.md"},
			run: func(ctx context.Context, g generator) error {
				if _, err := g.output(ctx, "go", "run", "./internal/testing/threats/gendocs", "docs/threats.md"); err != nil {
					return err
				}
				if _, err := g.output(ctx, "go", "run", "./internal/packaging/crdreference/gendocs", "docs/reference"); err != nil {
					return err
				}
				_, err := g.output(ctx, "go", "run", "./internal/cli/gendocs", "docs/cli", "docs/analysis.md", "docs/reasons.md",
					"docs/reference/conditions.md")
				return err
			},
		},
	}
}

// generator holds what the steps use.
type generator struct {
	// root is the root of the checkout.
	root string
	// tool returns the path of a pinned developer tool.
	tool func(ctx context.Context, name string) (string, error)
	// kubectl returns the path of kubectl.
	kubectl func(ctx context.Context) (string, error)
}

func (g generator) controllerGen(ctx context.Context, args ...string) error {
	program, err := g.tool(ctx, "controller-gen")
	if err != nil {
		return err
	}
	_, err = g.output(ctx, program, args...)
	return err
}

// kustomize renders a kustomize tree into a file.
func (g generator) kustomize(ctx context.Context, tree, file string) error {
	kubectl, err := g.kubectl(ctx)
	if err != nil {
		return err
	}
	rendered, err := g.output(ctx, kubectl, "kustomize", tree)
	if err != nil {
		return err
	}
	file = filepath.Join(g.root, file)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	return os.WriteFile(file, []byte(rendered), 0o644)
}

// output runs a program in the root and returns its standard output.
func (g generator) output(ctx context.Context, program string, args ...string) (string, error) {
	return build.Output(ctx, build.Command{Dir: g.root, Args: append([]string{program}, args...)})
}

// embeddedFields are the fields with large types of Kubernetes. Their own descriptions are ours, and those below them are in the reference of
// pods. kubectl apply stores a definition in an annotation, which limits its size.
func embeddedFields() []string {
	return []string{"affinity", "resources", "tolerations", "topologySpreadConstraints"}
}

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
