package fetch

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// browserStart sets the library path of the unpacked packages, because they are not installed.
const browserStart = `#!/bin/sh
here=$(dirname "$0")/root
libraries=$here/usr/lib/x86_64-linux-gnu
export LD_LIBRARY_PATH="$libraries:$libraries/pulseaudio" XDG_DATA_DIRS="$here/usr/share:/usr/share"
exec "$here/usr/lib/chromium/chromium" "$@"
`

// Chromium returns the path of Debian's Chromium below the cache folder. If it is missing, the package, its dependencies that this machine
// lacks and a font are downloaded and unpacked. Nothing is installed.
func Chromium(ctx context.Context, cache string) (string, error) {
	packages, err := Packages(ctx, []string{"chromium"})
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, "chromium", strings.ReplaceAll(packages[0].Version, ":", "_"))
	program := filepath.Join(dir, "chromium")
	if _, err := os.Stat(program); err == nil {
		return program, nil
	}
	names, err := missingPackages(ctx, "chromium", "fonts-dejavu-core")
	if err != nil {
		return "", err
	}
	if packages, err = Packages(ctx, names); err != nil {
		return "", err
	}
	root := filepath.Join(dir, "root")
	if err := os.MkdirAll(root, 0o755); err != nil {
		return "", fmt.Errorf("cannot create the folder for Chromium: %w", err)
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
	return program, writeProgram(program, []byte(browserStart))
}

// missingPackages returns the packages that apt would install now: the named ones and their dependencies.
func missingPackages(ctx context.Context, names ...string) ([]string, error) {
	args := append([]string{"install", "--print-uris", "--yes", "--quiet=2", "--reinstall", "--no-install-recommends"}, names...)
	out, err := run(ctx, "", nil, "apt-get", args...)
	if err != nil {
		return nil, fmt.Errorf("cannot resolve the dependencies of Debian packages (run apt-get update): %w", err)
	}
	var found []string
	for line := range strings.Lines(string(out)) {
		if fields := strings.Fields(line); len(fields) > 1 && strings.HasPrefix(line, "'") {
			name, _, _ := strings.Cut(fields[1], "_")
			found = append(found, name)
		}
	}
	return found, nil
}
