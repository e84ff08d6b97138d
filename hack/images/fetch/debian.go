package fetch

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
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
	args := slices.Concat(a.options, []string{"download", "--print-uris"}, names)
	out, err := run(ctx, "", nil, "apt-get", args...)
	if err != nil {
		return nil, fmt.Errorf("cannot look up Debian packages (needs Debian 12 or newer and current package lists; run apt-get update): %w", err)
	}
	var found []Package
	for line := range strings.Lines(string(out)) {
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

// Download returns the path of the package's file below the cache folder, and downloads the file if it is missing.
func (p Package) Download(ctx context.Context, cache string) (string, error) {
	dir := filepath.Join(cache, "debs")
	file := filepath.Join(dir, p.File)
	if got, err := FileSHA256(file); err == nil && got == p.SHA256 {
		return file, nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("cannot create the folder for Debian packages: %w", err)
	}
	// As root, apt would download as its own user, which cannot write to a private folder.
	args := append(slices.Clone(p.apt.options), "download", "--quiet=2")
	if os.Geteuid() == 0 {
		args = append(args, "--option", "APT::Sandbox::User=root")
	}
	if _, err := run(ctx, dir, nil, "apt-get", append(args, p.Name+"="+p.Version)...); err != nil {
		return "", fmt.Errorf("cannot download Debian package %s %s; run apt-get update and try again: %w", p.Name, p.Version, err)
	}
	got, err := FileSHA256(file)
	if err != nil {
		return "", fmt.Errorf("apt-get did not download %s: %w", file, err)
	}
	if got != p.SHA256 {
		return "", fmt.Errorf("%s has sha256 %s, want %s from the package index", file, got, p.SHA256)
	}
	return file, nil
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
	if _, err := run(ctx, "", nil, "apt-get", append(a.options, "--quiet=2", "update")...); err != nil {
		return Apt{}, fmt.Errorf("cannot download the package lists of %s: %w", architecture, err)
	}
	return a, nil
}
