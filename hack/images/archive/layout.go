package archive

import (
	"archive/tar"
	"io"

	v1 "github.com/google/go-containerregistry/pkg/v1"
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
