package fetch

import (
	"context"
	"fmt"
	"os"
	"path"
	"path/filepath"
)

// versionPackage contains the variables that the linker sets: Version, Commit and Date.
const versionPackage = "github.com/openservicemesh/osm-operator/internal/version"

// Commands compiles main packages of the repository into static programs and returns their folder. Packages are paths
// such as "./cmd/controller"; each program has the name of the last path element. The go build cache makes repeated
// calls cheap. Tags are build tags, separated by commas, or empty.
func Commands(ctx context.Context, root, cache, version, tags string, packages []string) (string, error) {
	for _, p := range packages {
		if !HasCommand(root, p) {
			return "", fmt.Errorf("there is no main package at %s, its image cannot be built", p)
		}
	}
	dir := filepath.Join(cache, "bin", version)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("cannot create the folder for programs: %w", err)
	}
	args := []string{
		"build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w " + linkerVariables(version, sourceOf(ctx, root)),
		"-o", dir + string(filepath.Separator),
	}
	if tags != "" {
		args = append(args, "-tags", tags)
	}
	env := []string{"CGO_ENABLED=0", "GOOS=linux", "GOARCH=amd64"}
	if _, err := run(ctx, root, env, "go", append(args, packages...)...); err != nil {
		return "", fmt.Errorf("cannot compile the programs of the images: %w", err)
	}
	return dir, nil
}

// HasCommand reports whether the repository contains Go files at a package path.
func HasCommand(root, pkg string) bool {
	files, err := filepath.Glob(filepath.Join(root, filepath.FromSlash(path.Clean(pkg)), "*.go"))
	return err == nil && len(files) > 0
}
