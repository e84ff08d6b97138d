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

// repository is the registry and organisation that every image is named under.
const repository = "docker.io/openservicemesh/"

// builder builds images into one output folder.
type builder struct {
	root    string // the repository's folder
	cache   string // downloads, layers and compiled programs
	out     string // where archives and the list go
	version string // the tag, and the version linked into programs
	tags    string // build tags, separated by commas; empty in everything that is released
	layers  *layer.Store
	bin     string // the folder of compiled programs, set by compile
}

// compile builds the programs of all the images in one call of the Go command.
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

// build assembles one image and writes its archive, unless the archive that before describes is there already.
func (b *builder) build(ctx context.Context, img image, before lock.Image) (lock.Image, error) {
	layers, sources, err := b.stack(ctx, img)
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
	now := lock.Image{Reference: name.String(), Digest: digest.String(), Archive: img.name + ".tar", Sources: sources}
	file := filepath.Join(b.out, now.Archive)
	if size, ok := unchanged(file, before, now); ok {
		now.Size = size
		return now, nil
	}
	if err := archive.Write(file, name, built); err != nil {
		return lock.Image{}, err
	}
	info, err := os.Stat(file)
	if err != nil {
		return lock.Image{}, err
	}
	now.Size = info.Size()
	return now, nil
}

// unchanged reports whether the archive of an earlier run is the one that would be written now, and its size.
func unchanged(file string, before, now lock.Image) (int64, bool) {
	if before.Digest != now.Digest || before.Reference != now.Reference {
		return 0, false
	}
	info, err := os.Stat(file)
	if err != nil || info.Size() != before.Size {
		return 0, false
	}
	return before.Size, true
}

// stack gathers the layers of an image, the largest and least often changed first.
func (b *builder) stack(ctx context.Context, img image) ([]v1.Layer, []lock.Source, error) {
	layers, sources, err := b.baseLayers(ctx, img)
	if err != nil {
		return nil, nil, err
	}
	accounts, err := b.accounts()
	if err != nil {
		return nil, nil, err
	}
	layers = append(layers, accounts)
	if img.command == "" {
		return layers, sources, nil
	}
	program, err := b.program(filepath.Join(b.bin, path.Base(img.command)), img.entrypoint)
	if err != nil {
		return nil, nil, err
	}
	return append(layers, program), sources, nil
}

// labels are the image's OCI labels; nothing in them changes from build to build.
func (b *builder) labels(img image) map[string]string {
	return map[string]string{
		"org.opencontainers.image.title":   fmt.Sprintf("openservicemesh/%s", img.name),
		"org.opencontainers.image.version": b.version,
	}
}
