package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

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
