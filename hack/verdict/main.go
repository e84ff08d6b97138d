package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/openservicemesh/osm-operator/hack/internal/entrypoint"
	"github.com/openservicemesh/osm-operator/hack/internal/recorded"
	"github.com/openservicemesh/osm-operator/hack/internal/repo"
)

// bootstrapPackage is the folder of the package that renders the bootstrap of sidecars, relative to a checkout.
const bootstrapPackage = "internal/mesh/envoy/bootstrap"

func main() {
	entrypoint.Main("verdict", func(ctx context.Context) error { return run(ctx, os.Args[1:]) })
}

func run(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("verdict", flag.ContinueOnError)
	pairs := flags.Int("pairs", 2000, "number of pairs of an edit and a request")
	if err := flags.Parse(args); err != nil {
		return err
	}
	root, err := repo.Root(".")
	if err != nil {
		return err
	}
	version, err := recordedVersion(root, flags.Args())
	if err != nil {
		return err
	}
	return recorded.Builder{Root: root}.CheckOut(ctx, version, func(folder string) error {
		if err := replacePackage(root, folder); err != nil {
			return err
		}
		cmd := exec.CommandContext(ctx, "go", "test", "-count=1", "-timeout=0", "-v", "-run=^TestVerdicts$", "./internal/testing/verdict",
			fmt.Sprintf("-verdict.pairs=%d", *pairs))
		cmd.Dir, cmd.Stdout, cmd.Stderr = folder, os.Stdout, os.Stderr
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("sidecars of this checkout under the control plane of %s: %w", version, err)
		}
		return nil
	})
}

// recordedVersion returns the version that the only argument names, by default the last recorded one.
func recordedVersion(root string, arguments []string) (string, error) {
	switch len(arguments) {
	case 0:
		versions, err := recorded.Versions(root)
		if err != nil {
			return "", err
		}
		if len(versions) == 0 {
			return "", errors.New("no version is recorded")
		}
		return versions[len(versions)-1], nil
	case 1:
		return arguments[0], nil
	}
	return "", errors.New("name one recorded version, for example v0.3.0")
}

// replacePackage replaces the sources of the bootstrap package of a checkout by those of this one, without tests.
func replacePackage(root, checkout string) error {
	to := filepath.Join(checkout, bootstrapPackage)
	older, err := filepath.Glob(filepath.Join(to, "*.go"))
	if err != nil {
		return err
	}
	for _, file := range older {
		if err := os.Remove(file); err != nil {
			return err
		}
	}
	newer, err := filepath.Glob(filepath.Join(root, bootstrapPackage, "*.go"))
	if err != nil {
		return err
	}
	for _, file := range newer {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		source, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(to, filepath.Base(file)), source, 0o644); err != nil {
			return err
		}
	}
	return nil
}
