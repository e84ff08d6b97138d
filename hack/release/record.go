package main

import (
	"context"
	"os"
	"path/filepath"

	"github.com/openservicemesh/osm-operator/hack/images/lock"
	"github.com/openservicemesh/osm-operator/hack/internal/recorded"
)

// record records the manifests of the version with the digests of the released images, the list of these images, and
// the definitions, unless that was done.
func (r *release) record(ctx context.Context) error {
	if _, isRecorded, err := recorded.Commit(r.Root, r.Version); err != nil || isRecorded {
		return err
	}
	if err := recordDefinitions(r.Root, r.Version); err != nil {
		return err
	}
	list := filepath.Join(r.folder, "images", lock.File)
	if err := runVisibly(ctx, r.Root, "go", "run", "./internal/packaging/freeze", "-version", r.Version, "-commit", r.Commit, "-images", list); err != nil {
		return err
	}
	return lock.WriteFile(recorded.Images(r.Root, r.Version), digestsOf(r.images))
}

// digestsOf returns the images without what only the folder of their archives needs.
func digestsOf(images lock.Images) lock.Images {
	digests := lock.Images{}
	for name, image := range images {
		digests[name] = lock.Image{Reference: image.Reference, Digest: image.Digest, Platforms: image.Platforms}
	}
	return digests
}

// recordDefinitions copies the definitions, because tests compare later versions with them.
func recordDefinitions(root, version string) error {
	definitions := filepath.Join(root, "config", "crd")
	folder := filepath.Join(definitions, "testdata", version)
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	for _, group := range []string{"bases", "smi"} {
		files, err := filepath.Glob(filepath.Join(definitions, group, "*.yaml"))
		if err != nil {
			return err
		}
		for _, file := range files {
			content, err := os.ReadFile(file)
			if err != nil {
				return err
			}
			if err := os.WriteFile(filepath.Join(folder, filepath.Base(file)), content, 0o644); err != nil {
				return err
			}
		}
	}
	return nil
}
