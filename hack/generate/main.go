package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/openservicemesh/osm-operator/hack/internal/entrypoint"
	"github.com/openservicemesh/osm-operator/hack/internal/tool"
)

func main() {
	check := flag.Bool("check", false, "write nothing; fail when a generated file is out of date")
	flag.Usage = func() { usage(flag.CommandLine.Output(), steps()) }
	flag.Parse()
	entrypoint.Main("generate", func(ctx context.Context) error { return run(ctx, *check, flag.Args()) })
}

// usage prints the steps and their outputs.
func usage(w io.Writer, all []step) {
	fmt.Fprintln(w, "usage: go run ./generate [-check] [STEP...]")
	for _, s := range all {
		fmt.Fprintf(w, "  %-10s %s\n", s.name, strings.Join(s.outputs, ", "))
	}
}

func run(ctx context.Context, check bool, names []string) error {
	desired, err := selectSteps(steps(), names)
	if err != nil {
		return err
	}
	box, err := tool.Open(os.Stderr)
	if err != nil {
		return err
	}
	g := generator{root: box.Root, tool: box.Path}
	g.kubectl = g.findKubectl
	if check {
		return verify(ctx, g, desired)
	}
	return generate(ctx, g, desired)
}

// selectSteps returns the steps with the given names, or all steps without names.
func selectSteps(all []step, names []string) ([]step, error) {
	if len(names) == 0 {
		return all, nil
	}
	var desired []step
	for _, name := range names {
		before := len(desired)
		for _, s := range all {
			if s.name == name {
				desired = append(desired, s)
			}
		}
		if len(desired) == before {
			return nil, fmt.Errorf("there is no step %q: run with -h for the list", name)
		}
	}
	return desired, nil
}

func generate(ctx context.Context, g generator, desired []step) error {
	for _, s := range desired {
		if err := s.run(ctx, g); err != nil {
			return fmt.Errorf("cannot generate %s: %w", strings.Join(s.outputs, ", "), err)
		}
	}
	return nil
}

// verify generates the files, records which ones changed, and restores them all.
func verify(ctx context.Context, g generator, desired []step) error {
	var outputs []string
	for _, s := range desired {
		outputs = append(outputs, s.outputs...)
	}
	before, err := readFiles(g.root, outputs)
	if err != nil {
		return err
	}
	failed := generate(ctx, g, desired)
	after, err := readFiles(g.root, outputs)
	if err != nil {
		return err
	}
	changed := differences(before, after)
	if err := errors.Join(failed, restore(g.root, changed, before)); err != nil {
		return err
	}
	if len(changed) > 0 {
		return fmt.Errorf("these files are out of date, run `make generate manifests docs` and commit them:\n  %s", strings.Join(changed, "\n  "))
	}
	fmt.Printf("generate: all %d generated files are up to date\n", len(before))
	return nil
}

// findKubectl returns $KUBECTL, or the kubectl of the local cluster. All developers then render with the same version.
func (g generator) findKubectl(ctx context.Context) (string, error) {
	if kubectl := os.Getenv("KUBECTL"); kubectl != "" {
		return kubectl, nil
	}
	out, err := g.output(ctx, "go", "run", "-C", "hack", "./cluster", "assets")
	if err != nil {
		return "", err
	}
	lines := slices.DeleteFunc(strings.Split(out, "\n"), func(line string) bool { return strings.TrimSpace(line) == "" })
	if len(lines) == 0 {
		return "", errors.New("`go run ./cluster assets` printed no folder: set KUBECTL to the path of kubectl")
	}
	return filepath.Join(strings.TrimSpace(lines[len(lines)-1]), "kubectl"), nil
}

// files maps the paths of files, relative to a root, to their content.
type files map[string][]byte

// readFiles returns every file below the root that matches one of the patterns.
func readFiles(root string, patterns []string) (files, error) {
	found := files{}
	for _, pattern := range patterns {
		names, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			content, err := os.ReadFile(name)
			if err != nil {
				return nil, err
			}
			relative, err := filepath.Rel(root, name)
			if err != nil {
				return nil, err
			}
			found[relative] = content
		}
	}
	return found, nil
}

// differences returns the sorted names of files that differ or exist in only one of the two sets.
func differences(before, after files) []string {
	var names []string
	for name, content := range before {
		if other, there := after[name]; !there || !bytes.Equal(content, other) {
			names = append(names, name)
		}
	}
	for name := range after {
		if _, there := before[name]; !there {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// restore writes the original content of the named files back, and removes files that did not exist.
func restore(root string, names []string, before files) error {
	for _, name := range names {
		path := filepath.Join(root, name)
		content, there := before[name]
		if !there {
			if err := os.Remove(path); err != nil {
				return err
			}
			continue
		}
		if err := os.WriteFile(path, content, 0o644); err != nil {
			return err
		}
	}
	return nil
}
