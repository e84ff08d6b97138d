package archive

import (
	"archive/tar"
	"cmp"
	"fmt"
	"io"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// layout is an OCI image layout that is being written. It has each blob once.
type layout struct {
	tar  *tar.Writer
	seen map[v1.Hash]bool
}

// addImage adds the manifest, the config and each layer, each under its digest.
func (l *layout) addImage(img v1.Image) error {
	if err := l.addRaw(img.Digest, img.RawManifest); err != nil {
		return err
	}
	if err := l.addRaw(img.ConfigName, img.RawConfigFile); err != nil {
		return err
	}
	layers, err := img.Layers()
	if err != nil {
		return err
	}
	for _, layer := range layers {
		if err := l.addLayer(layer); err != nil {
			return err
		}
	}
	return nil
}

// addRaw adds a blob from memory.
func (l *layout) addRaw(digest func() (v1.Hash, error), content func() ([]byte, error)) error {
	hash, err := digest()
	if err != nil {
		return err
	}
	raw, err := content()
	if err != nil {
		return err
	}
	if l.seen[hash] {
		return nil
	}
	l.seen[hash] = true
	return addBytes(l.tar, blobPath(hash), raw)
}

func (l *layout) addLayer(layer v1.Layer) error {
	digest, err := layer.Digest()
	if err != nil || l.seen[digest] {
		return err
	}
	l.seen[digest] = true
	size, err := layer.Size()
	if err != nil {
		return err
	}
	var content io.ReadCloser
	if content, err = layer.Compressed(); err != nil {
		return err
	}
	defer content.Close()
	return add(l.tar, blobPath(digest), size, content)
}

func blobPath(h v1.Hash) string { return "blobs/" + h.Algorithm + "/" + h.Hex }

// Process describes how a container of the image starts.
type Process struct {
	// Entrypoint is the program and its fixed arguments.
	Entrypoint []string
	// User is the numeric user and group of the program.
	User int
	// WorkingDir is the initial working directory.
	WorkingDir string
	// Architecture is Go's name of the processor. Empty means amd64.
	Architecture string
}

// Assemble stacks the layers, base first, into an image for Linux. It sets no creation time: the same layers and settings
// always give the same digest.
func Assemble(layers []v1.Layer, p Process, labels map[string]string) (v1.Image, error) {
	img := mutate.MediaType(empty.Image, types.OCIManifestSchema1)
	img = mutate.ConfigMediaType(img, types.OCIConfigJSON)
	img, err := mutate.AppendLayers(img, layers...)
	if err != nil {
		return nil, fmt.Errorf("cannot stack the layers: %w", err)
	}
	file, err := img.ConfigFile()
	if err != nil {
		return nil, err
	}
	file = file.DeepCopy()
	file.OS, file.Architecture = "linux", cmp.Or(p.Architecture, "amd64")
	file.History = nil
	file.Config = v1.Config{
		Entrypoint: p.Entrypoint,
		User:       fmt.Sprintf("%d:%d", p.User, p.User),
		WorkingDir: p.WorkingDir,
		Env:        []string{"PATH=/usr/local/bin:/usr/sbin:/usr/bin:/bin:/"},
		Labels:     labels,
	}
	return mutate.ConfigFile(img, file)
}
