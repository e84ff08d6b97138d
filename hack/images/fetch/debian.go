package fetch

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/openservicemesh/osm-operator/hack/images/rootfs"
)

// Package is the release of a Debian package that apt would install now.
type Package struct {
	// Name is the package's name.
	Name string
	// Version is its Debian version.
	Version string
	// File is the file name that apt-get download uses.
	File string
	// SHA256 is the hexadecimal hash from the signed package index.
	SHA256 string
	// apt has the package lists that contain the package.
	apt Apt
}

// Packages returns apt's current releases of the named packages for this machine, sorted by name. It downloads nothing.
func Packages(ctx context.Context, names []string) ([]Package, error) {
	return Apt{}.Packages(ctx, names)
}

// Packages returns apt's current releases of the named packages, sorted by name. It downloads nothing.
func (a Apt) Packages(ctx context.Context, names []string) ([]Package, error) {
	args := slices.Concat([]string{"apt-get"}, a.options, []string{"download", "--print-uris"}, names)
	out, err := run(ctx, "", nil, args...)
	if err != nil {
		return nil, fmt.Errorf("cannot look up Debian packages (needs Debian 12 or newer and current package lists; run apt-get update): %w", err)
	}
	var found []Package
	for line := range strings.Lines(out) {
		p, err := parseURI(line)
		if err != nil {
			return nil, err
		}
		p.apt = a
		found = append(found, p)
	}
	slices.SortFunc(found, func(a, b Package) int { return strings.Compare(a.Name, b.Name) })
	if len(found) != len(names) {
		return nil, fmt.Errorf("apt found %d of %d packages (%s); run apt-get update", len(found), len(names), strings.Join(names, ", "))
	}
	return found, nil
}

// parseURI parses a line of apt-get download --print-uris: 'uri' file size SHA256:hash.
func parseURI(line string) (Package, error) {
	f := strings.Fields(line)
	if len(f) != 4 || !strings.HasPrefix(f[3], "SHA256:") {
		return Package{}, fmt.Errorf("apt-get printed %q, want a file name with a SHA256", strings.TrimSpace(line))
	}
	parts := strings.SplitN(strings.TrimSuffix(f[1], ".deb"), "_", 3)
	if len(parts) != 3 {
		return Package{}, fmt.Errorf("%q is not the file name of a Debian package", f[1])
	}
	version, err := url.PathUnescape(parts[1])
	if err != nil {
		return Package{}, fmt.Errorf("%q has no valid version: %w", f[1], err)
	}
	return Package{Name: parts[0], Version: version, File: f[1], SHA256: strings.TrimPrefix(f[3], "SHA256:")}, nil
}

// Download returns the paths of the packages' files below the cache folder, in the same order, and downloads those that are missing with one call of apt,
// which reads its lists for each call.
func Download(ctx context.Context, cache string, packages []Package) ([]string, error) {
	dir := filepath.Join(cache, "debs")
	var paths []string
	var missing []Package
	for _, p := range packages {
		paths = append(paths, filepath.Join(dir, p.File))
		if p.check(dir) != nil {
			missing = append(missing, p)
		}
	}
	if len(missing) == 0 {
		return paths, nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("cannot create the folder for Debian packages: %w", err)
	}
	return paths, download(ctx, dir, missing)
}

// download downloads packages of one architecture into a folder and checks them.
func download(ctx context.Context, dir string, packages []Package) error {
	args := slices.Concat([]string{"apt-get"}, packages[0].apt.options, []string{"download", "--quiet=2"})
	// As root, apt would download as its own user, which cannot write to a private folder.
	if os.Geteuid() == 0 {
		args = append(args, "--option", "APT::Sandbox::User=root")
	}
	var names []string
	for _, p := range packages {
		names = append(names, p.Name+"="+p.Version)
	}
	if _, err := run(ctx, dir, nil, append(args, names...)...); err != nil {
		return fmt.Errorf("cannot download Debian packages (%s); run apt-get update and try again: %w", strings.Join(names, ", "), err)
	}
	for _, p := range packages {
		if err := p.check(dir); err != nil {
			return err
		}
	}
	return nil
}

// check returns an error unless the folder has the package's file with the content of the package index.
func (p Package) check(dir string) error {
	got, err := FileSHA256(filepath.Join(dir, p.File))
	if err != nil {
		return fmt.Errorf("apt-get did not download %s: %w", p.File, err)
	}
	if got != p.SHA256 {
		return fmt.Errorf("%s has sha256 %s, want %s from the package index", p.File, got, p.SHA256)
	}
	return nil
}

// Apt is apt with the package lists of one architecture. The zero value is that of the machine.
type Apt struct {
	// options come before the arguments of apt-get.
	options []string
}

// AptOf returns apt for a Go architecture, which Debian names alike. The lists of another architecture than amd64 are
// downloaded into the cache folder, so the settings of the machine remain as they are.
func AptOf(ctx context.Context, cache, architecture string) (Apt, error) {
	if architecture == amd64 {
		return Apt{}, nil
	}
	folder := filepath.Join(cache, "apt", architecture)
	for _, part := range []string{"lists/partial", "cache/archives/partial"} {
		if err := os.MkdirAll(filepath.Join(folder, filepath.FromSlash(part)), 0o755); err != nil {
			return Apt{}, fmt.Errorf("cannot create the folder for package lists: %w", err)
		}
	}
	a := Apt{options: []string{
		"--option", "APT::Architecture=" + architecture, "--option", "APT::Architectures=" + architecture,
		"--option", "Dir::State::lists=" + filepath.Join(folder, "lists"), "--option", "Dir::Cache=" + filepath.Join(folder, "cache"),
		"--option", "APT::Sandbox::User=root",
	}}
	if _, err := run(ctx, "", nil, slices.Concat([]string{"apt-get"}, a.options, []string{"--quiet=2", "update"})...); err != nil {
		return Apt{}, fmt.Errorf("cannot download the package lists of %s: %w", architecture, err)
	}
	return a, nil
}

// Unpack adds the files of a .deb that match one of the path.Match patterns, such as "lib/x86_64-linux-gnu/*", to tree.
// Parent directories are created, and root owns everything.
func Unpack(ctx context.Context, deb string, patterns []string, tree *rootfs.Tree) error {
	return unpack(ctx, deb, func(name string) bool { return matches(patterns, name) }, tree)
}

// UnpackExcept adds the files of a .deb to tree, except those that match one of the patterns or are below a folder that does.
func UnpackExcept(ctx context.Context, deb string, patterns []string, tree *rootfs.Tree) error {
	return unpack(ctx, deb, func(name string) bool { return notBelow(patterns, name) }, tree)
}

// notBelow reports whether neither a path nor one of its folders matches a pattern.
func notBelow(patterns []string, name string) bool {
	for ; name != "."; name = path.Dir(name) {
		if matches(patterns, name) {
			return false
		}
	}
	return true
}

func unpack(ctx context.Context, deb string, take func(name string) bool, tree *rootfs.Tree) error {
	raw, err := run(ctx, "", nil, "dpkg-deb", "--fsys-tarfile", deb)
	if err != nil {
		return err
	}
	tr := tar.NewReader(strings.NewReader(raw))
	for {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s cannot be read: %w", deb, err)
		}
		if !take(rootfs.Clean(h.Name)) {
			continue
		}
		if err := addEntry(tr, h, tree); err != nil {
			return fmt.Errorf("cannot extract %s from %s: %w", h.Name, deb, err)
		}
	}
}

func addEntry(tr *tar.Reader, h *tar.Header, tree *rootfs.Tree) error {
	switch h.Typeflag {
	case tar.TypeSymlink:
		tree.Link(h.Name, h.Linkname)
	case tar.TypeLink:
		if entry, ok := tree.Get(h.Linkname); ok {
			tree.Add(h.Name, entry)
		}
	case tar.TypeReg:
		content, err := io.ReadAll(tr)
		if err != nil {
			return err
		}
		tree.File(h.Name, h.Mode&0o777, content)
	}
	return nil
}

func matches(patterns []string, name string) bool {
	for _, p := range patterns {
		if ok, err := path.Match(p, name); err == nil && ok {
			return true
		}
	}
	return false
}

// unpackedProgram is a program of Debian with libraries, which is unpacked and not installed.
type unpackedProgram struct {
	// name is the package of the program, and others are packages that it needs besides its dependencies.
	name   string
	others []string
	// path is the path of the program in its package.
	path string
}

// startUnpacked sets the library path of the unpacked packages.
const startUnpacked = `#!/bin/sh
here=$(dirname "$0")/root
libraries=$here/usr/lib/x86_64-linux-gnu
export LD_LIBRARY_PATH="$libraries:$libraries/pulseaudio" XDG_DATA_DIRS="$here/usr/share:/usr/share"
exec "$here/%s" "$@"
`

// Chromium returns the path of Debian's Chromium below the cache folder, and downloads it with a font if it is missing.
func Chromium(ctx context.Context, cache string) (string, error) {
	return unpackedProgram{name: "chromium", others: []string{"fonts-dejavu-core"}, path: "usr/lib/chromium/chromium"}.ensure(ctx, cache)
}

// Redis returns the path of Debian's Redis server below the cache folder, and downloads it if it is missing.
func Redis(ctx context.Context, cache string) (string, error) {
	return unpackedProgram{name: "redis-server", path: "usr/bin/redis-server"}.ensure(ctx, cache)
}

// ensure downloads and unpacks the program and its dependencies that apt would install now.
func (u unpackedProgram) ensure(ctx context.Context, cache string) (string, error) {
	packages, err := Packages(ctx, []string{u.name})
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, u.name, strings.ReplaceAll(packages[0].Version, ":", "_"))
	program := filepath.Join(dir, u.name)
	if _, err := os.Stat(program); err == nil {
		return program, nil
	}
	names, err := missingPackages(ctx, append([]string{u.name}, u.others...))
	if err != nil {
		return "", err
	}
	if packages, err = Packages(ctx, names); err != nil {
		return "", err
	}
	root := filepath.Join(dir, "root")
	if err := os.MkdirAll(root, 0o755); err != nil {
		return "", fmt.Errorf("cannot create the folder for %s: %w", u.name, err)
	}
	files, err := Download(ctx, cache, packages)
	if err != nil {
		return "", err
	}
	for _, deb := range files {
		if _, err := run(ctx, "", nil, "dpkg-deb", "--extract", deb, root); err != nil {
			return "", fmt.Errorf("cannot unpack %s: %w", deb, err)
		}
	}
	return program, writeProgram(program, fmt.Appendf(nil, startUnpacked, u.path))
}

// WithDependencies returns apt's current releases of the named packages and of all their dependencies, sorted by name, whatever is installed on
// this machine. It downloads nothing.
func (a Apt) WithDependencies(ctx context.Context, names []string) ([]Package, error) {
	args := slices.Concat([]string{"apt-get"}, a.options, []string{
		"--option", "Dir::State::status=/dev/null", "install", "--print-uris", "--yes", "--quiet=2", "--no-install-recommends",
	}, names)
	out, err := run(ctx, "", nil, args...)
	if err != nil {
		return nil, fmt.Errorf("cannot resolve the dependencies of Debian packages (run apt-get update): %w", err)
	}
	return a.Packages(ctx, packageNames(out))
}

// missingPackages returns the packages that apt would install now: the named ones and their dependencies.
func missingPackages(ctx context.Context, names []string) ([]string, error) {
	args := append([]string{"apt-get", "install", "--print-uris", "--yes", "--quiet=2", "--reinstall", "--no-install-recommends"}, names...)
	out, err := run(ctx, "", nil, args...)
	if err != nil {
		return nil, fmt.Errorf("cannot resolve the dependencies of Debian packages (run apt-get update): %w", err)
	}
	return packageNames(out), nil
}

// packageNames returns the names in what apt-get install --print-uris prints: 'uri' file size hash.
func packageNames(text string) []string {
	var found []string
	for line := range strings.Lines(text) {
		if fields := strings.Fields(line); len(fields) > 1 && strings.HasPrefix(line, "'") {
			name, _, _ := strings.Cut(fields[1], "_")
			found = append(found, name)
		}
	}
	return found
}

// FileSHA256 returns the hexadecimal hash of a file.
func FileSHA256(name string) (string, error) {
	f, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
