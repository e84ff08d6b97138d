package fetch

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/openservicemesh/osm-operator/hack/images/rootfs"
)

// Unpack adds the files of a .deb that match one of the path.Match patterns, such as "lib/x86_64-linux-gnu/*", to tree.
// Parent directories are created, and root owns everything.
func Unpack(ctx context.Context, deb string, patterns []string, tree *rootfs.Tree) error {
	raw, err := run(ctx, "", nil, "dpkg-deb", "--fsys-tarfile", deb)
	if err != nil {
		return err
	}
	tr := tar.NewReader(bytes.NewReader(raw))
	for {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s cannot be read: %w", deb, err)
		}
		if !matches(patterns, rootfs.Clean(h.Name)) {
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
	for _, p := range packages {
		deb, err := p.Download(ctx, cache)
		if err != nil {
			return "", err
		}
		if _, err := run(ctx, "", nil, "dpkg-deb", "--extract", deb, root); err != nil {
			return "", fmt.Errorf("cannot unpack %s: %w", deb, err)
		}
	}
	return program, writeProgram(program, fmt.Appendf(nil, startUnpacked, u.path))
}

// missingPackages returns the packages that apt would install now: the named ones and their dependencies.
func missingPackages(ctx context.Context, names []string) ([]string, error) {
	args := append([]string{"install", "--print-uris", "--yes", "--quiet=2", "--reinstall", "--no-install-recommends"}, names...)
	out, err := run(ctx, "", nil, "apt-get", args...)
	if err != nil {
		return nil, fmt.Errorf("cannot resolve the dependencies of Debian packages (run apt-get update): %w", err)
	}
	return packageNames(string(out)), nil
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
