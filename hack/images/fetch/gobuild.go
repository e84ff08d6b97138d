package fetch

import (
	"context"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
)

// versionPackage contains the variables that the linker sets: Version, Commit and Date.
const versionPackage = "github.com/openservicemesh/osm-operator/internal/platform/version"

// Build describes how programs of the repository are compiled.
type Build struct {
	// Root is the root of the repository, and Cache the cache folder.
	Root, Cache string
	// Version is linked into the programs.
	Version string
	// Tags are build tags, separated by commas, or empty.
	Tags string
	// Architecture is Go's name of the processor.
	Architecture string
}

// Commands compiles main packages of the repository into static programs and returns their folder. Packages are paths
// such as "./cmd/controller"; each program has the name of the last path element. The go build cache makes repeated
// calls cheap. Packages with a go.mod of their own are compiled in their folder.
func (b Build) Commands(ctx context.Context, packages []string) (string, error) {
	for _, p := range packages {
		if !HasCommand(b.Root, p) {
			return "", fmt.Errorf("there is no main package at %s, its image cannot be built", p)
		}
	}
	dir := b.folder()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("cannot create the folder for programs: %w", err)
	}
	args := []string{
		"build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w " + linkerVariables(b.Version, sourceOf(ctx, b.Root)),
		"-o", dir + string(filepath.Separator),
	}
	if b.Tags != "" {
		args = append(args, "-tags", b.Tags)
	}
	env := []string{"CGO_ENABLED=0", "GOOS=linux", "GOARCH=" + b.Architecture}
	for folder, packages := range byModule(b.Root, packages) {
		if _, err := run(ctx, filepath.Join(b.Root, folder), env, "go", append(slices.Clone(args), packages...)...); err != nil {
			return "", fmt.Errorf("cannot compile the programs of the images: %w", err)
		}
	}
	return dir, nil
}

// folder is the folder of the compiled programs.
func (b Build) folder() string {
	if b.Architecture == amd64 {
		return filepath.Join(b.Cache, "bin", b.Version)
	}
	return filepath.Join(b.Cache, "bin", b.Version+"-"+b.Architecture)
}

// byModule groups packages by the folder of their module, relative to the repository.
func byModule(root string, packages []string) map[string][]string {
	modules := map[string][]string{}
	for _, p := range packages {
		if _, err := os.Stat(filepath.Join(root, filepath.FromSlash(p), "go.mod")); err == nil {
			modules[p] = []string{"."}
		} else {
			modules["."] = append(modules["."], p)
		}
	}
	return modules
}

// HasCommand reports whether the repository contains Go files at a package path.
func HasCommand(root, pkg string) bool {
	files, err := filepath.Glob(filepath.Join(root, filepath.FromSlash(path.Clean(pkg)), "*.go"))
	return err == nil && len(files) > 0
}
