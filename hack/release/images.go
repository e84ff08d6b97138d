package main

import (
	"context"
	"os"
	"path/filepath"

	"github.com/openservicemesh/osm-operator/hack/images/lock"
	"github.com/openservicemesh/osm-operator/hack/internal/recorded"
)

// imagePlatforms are those of released images.
const imagePlatforms = "linux/amd64,linux/arm64"

// buildImages builds an image index of each image that the installation manifest refers to.
func (r *release) buildImages(ctx context.Context) error {
	manifest, err := os.ReadFile(filepath.Join(r.Root, "dist", "install.yaml"))
	if err != nil {
		return err
	}
	folder := filepath.Join(r.folder, "images")
	arguments := append([]string{"run", "./images", "-o", folder, "-platforms", imagePlatforms}, lock.Names(manifest)...)
	if err := runVisibly(ctx, filepath.Join(r.Root, "hack"), "go", arguments...); err != nil {
		return err
	}
	r.images, err = lock.Read(folder)
	return err
}

// buildCommandLine builds the archives of the command line.
func (r *release) buildCommandLine(ctx context.Context) error {
	arguments := []string{"run", "./releasecli", "-platforms", r.platforms}
	if r.Changed != "" {
		arguments = append(arguments, "-dirty")
	}
	return runVisibly(ctx, filepath.Join(r.Root, "hack"), "go", arguments...)
}

// earlier returns the last version that was recorded before this one, and its commit.
func (r *release) earlier() (version, commit string, err error) {
	versions, err := recorded.Versions(r.Root)
	if err != nil || len(versions) == 0 {
		return "", "", err
	}
	version = versions[len(versions)-1]
	commit, _, err = recorded.Commit(r.Root, version)
	return version, commit, err
}
