package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/openservicemesh/osm-operator/hack/images/lock"
	"github.com/openservicemesh/osm-operator/hack/internal/recorded"
)

// imagePlatforms are those of released images.
const imagePlatforms = "linux/amd64,linux/arm64"

// ownImage matches references to the project's images, without a registry: the short name and the tag.
var ownImage = regexp.MustCompile(`\bopenservicemesh/([a-z0-9-]+):(v[0-9][0-9A-Za-z.+-]*)`)

// ownImages returns the short names of the project's images in a manifest, sorted.
func ownImages(manifest []byte) []string {
	var names []string
	for _, found := range ownImage.FindAllSubmatch(manifest, -1) {
		names = append(names, string(found[1]))
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// pin adds the digests of images to all references in a text.
func pin(text []byte, images lock.Images) ([]byte, error) {
	var missing []error
	pinned := ownImage.ReplaceAllFunc(text, func(reference []byte) []byte {
		image, isBuilt := images[string(ownImage.FindSubmatch(reference)[1])]
		if !isBuilt || strings.TrimPrefix(image.Reference, "docker.io/") != string(reference) {
			missing = append(missing, fmt.Errorf("%s was not built", reference))
			return reference
		}
		return append(slices.Clone(reference), []byte("@"+image.Digest)...)
	})
	return pinned, errors.Join(missing...)
}

// buildImages builds an image index of each image that the installation manifest refers to.
func (r *release) buildImages(ctx context.Context) error {
	manifest, err := os.ReadFile(filepath.Join(r.Root, "dist", "install.yaml"))
	if err != nil {
		return err
	}
	folder := filepath.Join(r.folder, "images")
	arguments := append([]string{"run", "./images", "-o", folder, "-platforms", imagePlatforms}, ownImages(manifest)...)
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

// previous returns the last version that was recorded before this one, and its commit.
func (r *release) previous() (version, commit string, err error) {
	versions, err := recorded.Versions(r.Root)
	if err != nil || len(versions) == 0 {
		return "", "", err
	}
	version = versions[len(versions)-1]
	commit, _, err = recorded.Commit(r.Root, version)
	return version, commit, err
}
