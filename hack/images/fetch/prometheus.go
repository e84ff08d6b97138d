package fetch

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/openservicemesh/osm-operator/hack/images/rootfs"
)

// prometheusFile is the path of the program in Debian's package.
const prometheusFile = "usr/bin/prometheus"

// Prometheus returns the path of Debian's Prometheus below the cache folder, and downloads it if it is missing.
func Prometheus(ctx context.Context, cache string) (string, error) {
	packages, err := Packages(ctx, []string{"prometheus"})
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, "prometheus", strings.ReplaceAll(packages[0].Version, ":", "_"))
	program := filepath.Join(dir, "prometheus")
	if _, err := os.Stat(program); err == nil {
		return program, nil
	}
	deb, err := packages[0].Download(ctx, cache)
	if err != nil {
		return "", err
	}
	tree := rootfs.New()
	if err := Unpack(ctx, deb, []string{prometheusFile}, tree); err != nil {
		return "", err
	}
	entry, ok := tree.Get(prometheusFile)
	if !ok {
		return "", fmt.Errorf("%s does not contain %s", deb, prometheusFile)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("cannot create the folder for Prometheus: %w", err)
	}
	// The rename is atomic: an interrupted run leaves no partial program.
	partial := program + ".partial"
	if err := os.WriteFile(partial, entry.Content, 0o755); err != nil {
		return "", err
	}
	return program, os.Rename(partial, program)
}
