package main

import (
	"context"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"
	"syscall"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/openservicemesh/osm-operator/hack/images/archive"
	"github.com/openservicemesh/osm-operator/hack/images/layer"
	"github.com/openservicemesh/osm-operator/hack/images/lock"
	"github.com/openservicemesh/osm-operator/hack/internal/paths"
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
	targets []*target // one gives images, several give image indexes
}

// build assembles one image and writes its archive, unless the archive of the earlier run is identical.
func (b *builder) build(ctx context.Context, img image, earlier lock.Image) (lock.Image, error) {
	name := archive.Name{Repository: repository + img.name, Tag: b.version}
	current := lock.Image{Reference: name.String(), Archive: img.name + ".tar"}
	var images []v1.Image
	for _, t := range b.targets {
		built, sources, err := b.assemble(ctx, t, img)
		if err != nil {
			return lock.Image{}, fmt.Errorf("%s: %w", t.architecture, err)
		}
		images, current.Sources = append(images, built), append(current.Sources, sources...)
	}
	content, err := contentOf(images)
	if err != nil {
		return lock.Image{}, err
	}
	current.Digest = content.Digest().String()
	if current.Platforms, err = platformsOf(images); err != nil {
		return lock.Image{}, err
	}
	file := filepath.Join(b.out, current.Archive)
	if size, ok := unchanged(file, earlier, current); ok {
		current.Size = size
		return current, nil
	}
	if err := archive.Write(file, name, content); err != nil {
		return lock.Image{}, err
	}
	info, err := os.Stat(file)
	if err != nil {
		return lock.Image{}, err
	}
	current.Size = info.Size()
	return current, nil
}

// unchanged reports whether the archive of the earlier run is identical to the current image, and its size.
func unchanged(file string, earlier, current lock.Image) (int64, bool) {
	if earlier.Digest != current.Digest || earlier.Reference != current.Reference {
		return 0, false
	}
	info, err := os.Stat(file)
	if err != nil || info.Size() != earlier.Size {
		return 0, false
	}
	return earlier.Size, true
}

// imageLayers returns the layers of an image, the largest and least often changed first.
func (b *builder) imageLayers(ctx context.Context, t *target, img image) ([]v1.Layer, []lock.Source, error) {
	layers, sources, err := b.baseLayers(ctx, t, img)
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
	program, err := b.programLayer(filepath.Join(t.bin, path.Base(img.command)), img.entrypoint)
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

// cacheFolder returns the folder of cached downloads, layers and programs, which is that of the other tools.
func cacheFolder() (string, error) { return paths.FindCache(os.Getenv) }

// versionOrDefault returns the desired version, or the content of the file VERSION if it is empty.
func versionOrDefault(root, desired string) (string, error) {
	if desired != "" {
		return desired, nil
	}
	raw, err := os.ReadFile(filepath.Join(root, "VERSION"))
	if err != nil {
		return "", fmt.Errorf("no version was given and the file VERSION cannot be read: %w", err)
	}
	return strings.TrimSpace(string(raw)), nil
}

// withLock runs f while holding the lock of the cache folder: concurrent runs share the folder of compiled programs.
func withLock(cache string, f func() error) error {
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return fmt.Errorf("cannot create the cache folder: %w", err)
	}
	file, err := os.OpenFile(filepath.Join(cache, "images.flock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return err
	}
	defer file.Close()
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX); err != nil {
		return fmt.Errorf("cannot lock the cache folder: %w", err)
	}
	return f()
}
