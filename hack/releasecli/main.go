package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/openservicemesh/osm-operator/hack/internal/build"
	"github.com/openservicemesh/osm-operator/hack/internal/entrypoint"
	"github.com/openservicemesh/osm-operator/hack/internal/repo"
)

func main() {
	dirty := flag.Bool("dirty", false, "build from a checkout with uncommitted changes; the archives are not reproducible")
	list := flag.String("platforms", "", "comma-separated platforms to build for, such as linux/arm64")
	flag.Parse()
	entrypoint.Main("releasecli", func(ctx context.Context) error { return run(ctx, *dirty, *list) })
}

// run builds a release.
func run(ctx context.Context, dirty bool, list string) error {
	desired, err := selectPlatforms(list)
	if err != nil {
		return err
	}
	root, err := repo.Root(".")
	if err != nil {
		return err
	}
	r, err := describe(ctx, root, dirty)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(r.folder, 0o755); err != nil {
		return err
	}
	common, err := r.completions(ctx)
	if err != nil {
		return err
	}
	archives := map[platform]string{}
	for _, p := range desired {
		began := time.Now()
		archive, err := r.build(ctx, p, common)
		if err != nil {
			return err
		}
		fmt.Fprintf(os.Stderr, "%s (%s)\n", archive, time.Since(began).Round(100*time.Millisecond))
		archives[p] = archive
	}
	if err := r.writeKrew(archives); err != nil {
		return err
	}
	sums, err := r.writeSums(slices.Collect(maps.Values(archives)))
	if err == nil {
		fmt.Println(sums)
	}
	return err
}

// release describes the release to build.
type release struct {
	root, folder string
	version      string
	// commitTime is the commit time, which all files get.
	commitTime time.Time
}

// describe returns the release of the checkout.
func describe(ctx context.Context, root string, dirty bool) (release, error) {
	source, err := repo.ReadSource(ctx, root)
	if err != nil {
		return release{}, err
	}
	if source.Changed != "" && !dirty {
		return release{}, errors.New("the checkout has uncommitted changes, so this release could not be reproduced: commit them, or use -dirty for a test build")
	}
	return release{root: root, folder: filepath.Join(root, "bin", "release"), version: source.Version, commitTime: source.Time}, nil
}

// file is a file in an archive.
type file struct {
	name    string
	content []byte
	// executable is true for programs.
	executable bool
}

func (f file) mode() int64 {
	if f.executable {
		return 0o755
	}
	return 0o644
}

// writeArchive writes an archive whose bytes depend only on its arguments.
func writeArchive(path string, at time.Time, files []file, pack func(io.Writer, time.Time, []file) error) error {
	var packed bytes.Buffer
	if err := pack(&packed, at, files); err != nil {
		return fmt.Errorf("%s: %w", filepath.Base(path), err)
	}
	return os.WriteFile(path, packed.Bytes(), 0o644)
}

// writeTarGz packs files for Linux and macOS.
func writeTarGz(w io.Writer, at time.Time, files []file) error {
	compressed, err := gzip.NewWriterLevel(w, gzip.BestCompression)
	if err != nil {
		return err
	}
	archive := tar.NewWriter(compressed)
	for _, f := range files {
		header := &tar.Header{Name: f.name, Mode: f.mode(), Size: int64(len(f.content)), ModTime: at, Format: tar.FormatPAX}
		if err := archive.WriteHeader(header); err != nil {
			return err
		}
		if _, err := archive.Write(f.content); err != nil {
			return err
		}
	}
	if err := archive.Close(); err != nil {
		return err
	}
	return compressed.Close()
}

// writeZip packs files for Windows.
func writeZip(w io.Writer, at time.Time, files []file) error {
	archive := zip.NewWriter(w)
	for _, f := range files {
		header := &zip.FileHeader{Name: f.name, Method: zip.Deflate, Modified: at}
		header.SetMode(os.FileMode(f.mode()))
		part, err := archive.CreateHeader(header)
		if err != nil {
			return err
		}
		if _, err := part.Write(f.content); err != nil {
			return err
		}
	}
	return archive.Close()
}

// writeSums writes the SHA-256 sums of archives in the format of sha256sum, and returns the file's path.
func (r release) writeSums(archives []string) (string, error) {
	var lines []string
	for _, archive := range archives {
		content, err := os.ReadFile(archive)
		if err != nil {
			return "", err
		}
		lines = append(lines, fmt.Sprintf("%x  %s\n", sha256.Sum256(content), filepath.Base(archive)))
	}
	// sorted by file name
	slices.SortFunc(lines, func(a, b string) int { return strings.Compare(a[2*sha256.Size:], b[2*sha256.Size:]) })
	path := filepath.Join(r.folder, fmt.Sprintf("osm-%s-checksums.txt", r.version))
	return path, os.WriteFile(path, []byte(strings.Join(lines, "")), 0o644)
}

// platform is an operating system and an architecture, with Go's names.
type platform struct{ os, arch string }

func (p platform) String() string { return p.os + "/" + p.arch }

// program returns the file name of the program.
func (p platform) program() string {
	if p.os == "windows" {
		return "osm.exe"
	}
	return "osm"
}

// platforms are all platforms of a release.
var platforms = []platform{
	{"linux", "amd64"}, {"linux", "arm64"}, {"darwin", "amd64"}, {"darwin", "arm64"}, {"windows", "amd64"}, {"windows", "arm64"},
}

// selectPlatforms parses a comma-separated list of platforms; an empty list means all.
func selectPlatforms(list string) ([]platform, error) {
	if list == "" {
		return platforms, nil
	}
	var chosen []platform
	for name := range strings.SplitSeq(list, ",") {
		i := slices.IndexFunc(platforms, func(p platform) bool { return p.String() == name })
		if i < 0 {
			return nil, fmt.Errorf("-platforms: %q is not supported: choose from %v", name, platforms)
		}
		chosen = append(chosen, platforms[i])
	}
	return chosen, nil
}

// build builds the program for a platform, packs it with the common files, and returns the archive's path.
func (r release) build(ctx context.Context, p platform, common []file) (string, error) {
	scratch, err := os.MkdirTemp("", "osm-release-")
	if err != nil {
		return "", err
	}
	defer func() { _ = os.RemoveAll(scratch) }()
	program := filepath.Join(scratch, p.program())
	err = build.Run(ctx, build.Command{
		Dir: r.root,
		Env: []string{"CGO_ENABLED=0", "GOOS=" + p.os, "GOARCH=" + p.arch},
		Args: []string{
			"go", "build", "-trimpath", "-buildvcs=true", "-ldflags", "-s -w -buildid= -X " + repo.Module + "/internal/platform/version.Version=" + r.version,
			"-o", program, "./cmd/osm",
		},
	})
	if err != nil {
		return "", fmt.Errorf("%s: %w", p, err)
	}
	files := slices.Clone(common)
	for name, path := range map[string]string{p.program(): program, "LICENSE": filepath.Join(r.root, "LICENSE")} {
		content, err := os.ReadFile(path)
		if err != nil {
			return "", err
		}
		files = append(files, file{name: name, content: content, executable: path == program})
	}
	slices.SortFunc(files, func(a, b file) int { return strings.Compare(a.name, b.name) })
	base := filepath.Join(r.folder, fmt.Sprintf("osm-%s-%s-%s", r.version, p.os, p.arch))
	if p.os == "windows" {
		return base + ".zip", writeArchive(base+".zip", r.commitTime, files, writeZip)
	}
	return base + ".tar.gz", writeArchive(base+".tar.gz", r.commitTime, files, writeTarGz)
}

// completionFiles are the completion scripts in archives, by the argument of `osm completion`.
var completionFiles = map[string]string{
	"bash":           "completions/osm.bash",
	"fish":           "completions/osm.fish",
	"kubectl-plugin": "completions/kubectl_complete-osm",
	"powershell":     "completions/osm.ps1",
	"zsh":            "completions/_osm",
}

// completions returns the completion scripts. They are the same on all platforms, so a program for this machine prints
// them.
func (r release) completions(ctx context.Context) ([]file, error) {
	scratch, err := os.MkdirTemp("", "osm-completions-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(scratch)
	program := filepath.Join(scratch, "osm")
	if err := build.Run(ctx, build.Command{Dir: r.root, Args: []string{"go", "build", "-trimpath", "-o", program, "./cmd/osm"}}); err != nil {
		return nil, err
	}
	var files []file
	for shell, name := range completionFiles {
		script, err := build.Output(ctx, build.Command{Args: []string{program, "completion", shell}})
		if err != nil {
			return nil, fmt.Errorf("the completion for %s: %w", shell, err)
		}
		files = append(files, file{name: name, content: []byte(script), executable: shell == "kubectl-plugin"})
	}
	return files, nil
}

// project is the address of the project.
const project = "https://github.com/openservicemesh/osm-operator"

// krewFile is the name of krew's manifest. Krew requires the name of the plugin.
const krewFile = "osm.yaml"

// object is a part of krew's manifest.
type object map[string]any

// writeKrew writes the manifest with which krew installs the archives as the plugin `kubectl osm`.
func (r release) writeKrew(archives map[platform]string) error {
	var built []object
	for _, p := range platforms {
		archive, isBuilt := archives[p]
		if !isBuilt {
			continue
		}
		content, err := os.ReadFile(archive)
		if err != nil {
			return err
		}
		built = append(built, object{
			"selector": object{"matchLabels": object{"os": p.os, "arch": p.arch}},
			"uri":      fmt.Sprintf("%s/releases/download/%s/%s", project, r.version, filepath.Base(archive)),
			"sha256":   fmt.Sprintf("%x", sha256.Sum256(content)),
			"bin":      p.program(),
			"files":    []object{{"from": p.program(), "to": "."}, {"from": "LICENSE", "to": "."}},
		})
	}
	text, err := yaml.Marshal(object{
		"apiVersion": "krew.googlecontainertools.github.com/v1alpha2", "kind": "Plugin", "metadata": object{"name": "osm"},
		"spec": object{
			"version": r.version, "homepage": project, "shortDescription": "Install and observe Open Service Mesh", "platforms": built,
			"description": "Installs Open Service Mesh, adds namespaces to it, explains its policies, and shows its traffic.\n",
		},
	})
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(r.folder, krewFile), text, 0o644)
}
