package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
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
				_, err := g.output(ctx, "go", "run", "./internal/cli/gendocs", "docs/cli", "docs/analysis.md", "docs/reasons.md")
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
	return os.WriteFile(file, rendered, 0o644)
}

// output runs a program in the root and returns its standard output.
func (g generator) output(ctx context.Context, program string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = g.root
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("`%s %s` failed: %w\n%s%s", filepath.Base(program), strings.Join(args, " "), err, out, stderr.String())
	}
	return out, nil
}
