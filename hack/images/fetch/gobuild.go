package fetch

import (
	"context"
	"fmt"
	"os"
	"path"
	"path/filepath"
)

// versionPackage has the variables that the linker sets: Version, Commit and Date.
const versionPackage = "github.com/openservicemesh/osm-operator/internal/version"

// Commands compiles main packages of the repository, given as paths like "./cmd/controller", into static programs and
// returns the folder they are in; each is named by the last element of its path. Go's own build cache makes a second
// call cheap. tags are build tags, separated by commas, or empty.
func Commands(ctx context.Context, root, cache, version, tags string, packages []string) (string, error) {
	for _, p := range packages {
		if !HasCommand(root, p) {
			return "", fmt.Errorf("there is no main package at %s, so its image cannot be built", p)
		}
	}
	dir := filepath.Join(cache, "bin", version)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("cannot make the folder for programs: %w", err)
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

// HasCommand reports whether the repository holds Go files at a package path.
func HasCommand(root, pkg string) bool {
	files, err := filepath.Glob(filepath.Join(root, filepath.FromSlash(path.Clean(pkg)), "*.go"))
	return err == nil && len(files) > 0
}
