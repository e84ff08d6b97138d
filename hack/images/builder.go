package main

import (
	"context"
	"fmt"
	"os"
	"path"
	"path/filepath"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/openservicemesh/osm-operator/hack/images/archive"
	"github.com/openservicemesh/osm-operator/hack/images/fetch"
	"github.com/openservicemesh/osm-operator/hack/images/layer"
	"github.com/openservicemesh/osm-operator/hack/images/lock"
)

// repository is the registry and organisation of every image.
const repository = "docker.io/openservicemesh/"

// builder builds images into one output folder.
type builder struct {
	root    string // repository root
	cache   string // cached downloads, layers and compiled programs
	out     string // output folder of archives and images.lock
	version string // image tag, and the version linked into programs
	tags    string // build tags, separated by commas; empty for released images
	layers  *layer.Store
	bin     string // folder of compiled programs, set by compile
}

// compile builds the programs of all images with one run of the go command.
func (b *builder) compile(ctx context.Context, images []image) error {
	var packages []string
	for _, img := range images {
		if img.command != "" {
			packages = append(packages, img.command)
		}
	}
	if len(packages) == 0 {
		return nil
	}
	dir, err := fetch.Commands(ctx, b.root, b.cache, b.version, b.tags, packages)
	b.bin = dir
	return err
}

// build assembles one image and writes its archive, unless the archive of the previous run is identical.
func (b *builder) build(ctx context.Context, img image, previous lock.Image) (lock.Image, error) {
	layers, sources, err := b.imageLayers(ctx, img)
	if err != nil {
		return lock.Image{}, err
	}
	process := archive.Process{Entrypoint: []string{img.entrypoint}, User: img.user, WorkingDir: "/"}
	built, err := archive.Assemble(layers, process, b.labels(img))
	if err != nil {
		return lock.Image{}, err
	}
	digest, err := built.Digest()
	if err != nil {
		return lock.Image{}, err
	}
	name := archive.Name{Repository: repository + img.name, Tag: b.version}
	current := lock.Image{Reference: name.String(), Digest: digest.String(), Archive: img.name + ".tar", Sources: sources}
	file := filepath.Join(b.out, current.Archive)
	if size, ok := unchanged(file, previous, current); ok {
		current.Size = size
		return current, nil
	}
	if err := archive.Write(file, name, built); err != nil {
		return lock.Image{}, err
	}
	info, err := os.Stat(file)
	if err != nil {
		return lock.Image{}, err
	}
	current.Size = info.Size()
	return current, nil
}

// unchanged reports whether the archive of the previous run is identical to the current image, and its size.
func unchanged(file string, previous, current lock.Image) (int64, bool) {
	if previous.Digest != current.Digest || previous.Reference != current.Reference {
		return 0, false
	}
	info, err := os.Stat(file)
	if err != nil || info.Size() != previous.Size {
		return 0, false
	}
	return previous.Size, true
}

// imageLayers returns the layers of an image, the largest and least often changed first.
func (b *builder) imageLayers(ctx context.Context, img image) ([]v1.Layer, []lock.Source, error) {
	layers, sources, err := b.baseLayers(ctx, img)
	if err != nil {
		return nil, nil, err
	}
	accounts, err := b.accountsLayer()
	if err != nil {
		return nil, nil, err
	}
	layers = append(layers, accounts)
	if img.command == "" {
		return layers, sources, nil
	}
	program, err := b.programLayer(filepath.Join(b.bin, path.Base(img.command)), img.entrypoint)
	if err != nil {
		return nil, nil, err
	}
	return append(layers, program), sources, nil
}

// labels returns the image's OCI labels. They are the same in every build.
func (b *builder) labels(img image) map[string]string {
	return map[string]string{
		"org.opencontainers.image.title":   fmt.Sprintf("openservicemesh/%s", img.name),
		"org.opencontainers.image.version": b.version,
	}
}
