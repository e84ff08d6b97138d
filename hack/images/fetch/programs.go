package fetch

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/openservicemesh/osm-operator/hack/images/rootfs"
	"github.com/openservicemesh/osm-operator/hack/internal/build"
	"github.com/openservicemesh/osm-operator/hack/internal/files"
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
	// System is Go's name of the operating system; empty is linux.
	System string
	// Out is the folder of the programs; empty is a folder of the cache for the version and architecture.
	Out string
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
		"go", "build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w " + linkerVariables(b.Version, sourceOf(ctx, b.Root)),
		"-o", dir + string(filepath.Separator),
	}
	if b.Tags != "" {
		args = append(args, "-tags", b.Tags)
	}
	env := []string{"CGO_ENABLED=0", "GOOS=" + cmp.Or(b.System, "linux"), "GOARCH=" + b.Architecture}
	for folder, packages := range byModule(b.Root, packages) {
		if _, err := run(ctx, filepath.Join(b.Root, folder), env, slices.Concat(args, packages)...); err != nil {
			return "", fmt.Errorf("cannot compile the programs of the images: %w", err)
		}
	}
	return dir, nil
}

// folder is the folder of the compiled programs.
func (b Build) folder() string {
	if b.Out != "" {
		return b.Out
	}
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

// run runs a command in dir with additional environment variables and returns its standard output. An error contains
// the standard error output.
func run(ctx context.Context, dir string, env []string, args ...string) (string, error) {
	return build.Output(ctx, build.Command{Dir: dir, Env: env, Args: args})
}

// source identifies the sources of the compiled programs.
type source struct {
	// commit is the last commit, with "-dirty" if files differ from it, and date its time. The build time would make
	// two builds of the same files differ. Both are empty outside a git checkout.
	commit, date string
}

// sourceOf reads the source of a checkout from git. The checkout may belong to another user.
func sourceOf(ctx context.Context, root string) source {
	head, err := run(ctx, root, nil, "git", "-c", "safe.directory=*", "show", "--no-patch", "--format=%H %cI", "HEAD")
	if err != nil {
		return source{}
	}
	commit, date, _ := strings.Cut(strings.TrimSpace(head), " ")
	changes, err := run(ctx, root, nil, "git", "-c", "safe.directory=*", "status", "--porcelain", "--untracked-files=no")
	if err != nil || len(changes) > 0 {
		commit += "-dirty"
	}
	return source{commit, date}
}

// linkerVariables returns the linker flags that set the version and source of programs.
func linkerVariables(version string, from source) string {
	flags := fmt.Sprintf("-X %s.Version=%s", versionPackage, version)
	if from.commit != "" {
		flags += fmt.Sprintf(" -X %s.Commit=%s -X %s.Date=%s", versionPackage, from.commit, versionPackage, from.date)
	}
	return flags
}

// prometheusFiles are the paths of the server and of promtool in Debian's package.
var prometheusFiles = []string{"usr/bin/prometheus", "usr/bin/promtool"}

// Prometheus returns the path of Debian's Prometheus below the cache folder, and downloads it if it is missing. promtool is in the
// same folder.
func Prometheus(ctx context.Context, cache string) (string, error) {
	packages, err := Packages(ctx, []string{"prometheus"})
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, "prometheus", strings.ReplaceAll(packages[0].Version, ":", "_"))
	if hasPrograms(dir) {
		return filepath.Join(dir, "prometheus"), nil
	}
	debs, err := Download(ctx, cache, packages)
	if err != nil {
		return "", err
	}
	tree := rootfs.New()
	if err := Unpack(ctx, debs[0], prometheusFiles, tree); err != nil {
		return "", err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("cannot create the folder for Prometheus: %w", err)
	}
	for _, file := range prometheusFiles {
		entry, ok := tree.Get(file)
		if !ok {
			return "", fmt.Errorf("%s does not contain %s", debs[0], file)
		}
		if err := writeProgram(filepath.Join(dir, path.Base(file)), entry.Content); err != nil {
			return "", err
		}
	}
	return filepath.Join(dir, "prometheus"), nil
}

func hasPrograms(dir string) bool {
	for _, file := range prometheusFiles {
		if _, err := os.Stat(filepath.Join(dir, path.Base(file))); err != nil {
			return false
		}
	}
	return true
}

// writeProgram writes an executable file.
func writeProgram(program string, content []byte) error {
	return files.Write(program, 0o755, func(w io.Writer) error {
		_, err := w.Write(content)
		return err
	})
}
