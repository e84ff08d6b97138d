package main

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/openservicemesh/osm-operator/hack/internal/build"
	"github.com/openservicemesh/osm-operator/hack/internal/entrypoint"
	"github.com/openservicemesh/osm-operator/hack/internal/paths"
	"github.com/openservicemesh/osm-operator/hack/internal/progress"
	"github.com/openservicemesh/osm-operator/hack/internal/repo"
)

func main() {
	out := flag.String("out", "", "folder of the site (default bin/site of the checkout)")
	flag.Parse()
	entrypoint.Main("docssite", func(ctx context.Context) error { return run(ctx, *out) })
}

func run(ctx context.Context, out string) error {
	root, err := repo.Root(".")
	if err != nil {
		return err
	}
	cache, err := paths.FindCache(os.Getenv)
	if err != nil {
		return err
	}
	report := progress.New(os.Stderr, time.Now)
	packages, err := ensurePackages(ctx, build.Cache{Dir: filepath.Join(cache, "docssite")}, root, report)
	if err != nil {
		return err
	}
	out, err = filepath.Abs(cmp.Or(out, filepath.Join(root, "bin", "site")))
	if err != nil {
		return err
	}
	// With --strict, mkdocs fails after a warning. It must not run with --quiet, which hides warnings from --strict.
	err = build.Run(ctx, build.Command{
		Dir:  root,
		Env:  []string{"PYTHONPATH=" + packages, "PYTHONNOUSERSITE=1", "PYTHONDONTWRITEBYTECODE=1", "NO_MKDOCS_2_WARNING=1"},
		Args: []string{"python3", "-m", "mkdocs", "build", "--strict", "--clean", "--site-dir", out},
	})
	if err != nil {
		return err
	}
	fmt.Println(out)
	return nil
}

// ensurePackages returns the folder with the pinned Python packages, and downloads them if the cache does not have them. pip verifies
// their hashes.
func ensurePackages(ctx context.Context, cache build.Cache, root string, report *progress.Reporter) (string, error) {
	requirements := filepath.Join(root, "hack", "docssite", "requirements.txt")
	// Some packages contain compiled code for one version of Python.
	version, err := exec.CommandContext(ctx, "python3", "--version").Output()
	if err != nil {
		return "", fmt.Errorf("cannot run python3, install it with pip: %w", err)
	}
	packages := build.Artifact{
		Name: "packages", Inputs: []string{string(version)}, Sources: []string{requirements},
		Make: func(ctx context.Context, dir string) error {
			return build.Run(ctx, build.Command{Dir: root, Args: []string{
				"python3", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps",
				"--require-hashes", "--only-binary=:all:", "--target", dir, "--requirement", requirements,
			}})
		},
	}
	return cache.Ensure(ctx, packages, func(download func(context.Context) error) error {
		return report.Run(ctx, "download mkdocs", download)
	})
}
