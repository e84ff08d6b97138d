package fetch

import (
	"context"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/openservicemesh/osm-operator/hack/images/rootfs"
)

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

// writeProgram writes an executable file. The rename is atomic: an interrupted run leaves no partial program.
func writeProgram(program string, content []byte) error {
	partial := program + ".partial"
	if err := os.WriteFile(partial, content, 0o755); err != nil {
		return err
	}
	return os.Rename(partial, program)
}
