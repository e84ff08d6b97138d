package archive

import (
	"archive/tar"
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/openservicemesh/osm-operator/hack/internal/files"
)

// Name is the reference an image is imported under.
type Name struct {
	// Repository includes the registry host, such as "docker.io/openservicemesh/init".
	Repository string
	// Tag is the part after the colon.
	Tag string
}

// String returns the full reference.
func (n Name) String() string { return n.Repository + ":" + n.Tag }

// containerdName is the annotation that containerd reads the name of an imported image from.
const containerdName = "io.containerd.image.name"

// ociRefName is the annotation of the OCI image layout for the image's tag.
const ociRefName = "org.opencontainers.image.ref.name"

// Write writes an image or image index to file as an OCI image layout, atomically.
func Write(file string, name Name, content Content) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return fmt.Errorf("cannot create the output folder: %w", err)
	}
	if err := files.Write(file, 0o644, func(w io.Writer) error { return writeLayout(w, name, content) }); err != nil {
		return fmt.Errorf("cannot write the image %s: %w", name, err)
	}
	return nil
}

// writeLayout writes a layout whose index.json lists the content under the name.
func writeLayout(w io.Writer, name Name, content Content) error {
	listed := content.descriptor
	listed.Annotations = map[string]string{containerdName: name.String(), ociRefName: name.Tag}
	index, err := json.Marshal(v1.IndexManifest{SchemaVersion: 2, MediaType: types.OCIImageIndex, Manifests: []v1.Descriptor{listed}})
	if err != nil {
		return err
	}
	l := &layout{tar: tar.NewWriter(w), seen: map[v1.Hash]bool{}}
	if err := addBytes(l.tar, "oci-layout", []byte(`{"imageLayoutVersion":"1.0.0"}`)); err != nil {
		return err
	}
	if err := addBytes(l.tar, "index.json", index); err != nil {
		return err
	}
	if content.index != nil {
		if err := l.addRaw(content.index.Digest, content.index.RawManifest); err != nil {
			return err
		}
	}
	for _, img := range content.images {
		if err := l.addImage(img); err != nil {
			return err
		}
	}
	return l.tar.Close()
}

// Content is what an archive has under its name: an image, or an image index with the images of several platforms.
type Content struct {
	descriptor v1.Descriptor
	index      v1.ImageIndex // nil for an image
	images     []v1.Image
}

// Digest returns the digest of the image or of the index.
func (c Content) Digest() v1.Hash { return c.descriptor.Digest }

// Single returns the content of an archive with one image.
func Single(img v1.Image) (Content, error) {
	described, err := describe(img, types.OCIManifestSchema1)
	if err != nil {
		return Content{}, err
	}
	described.Platform, err = platform(img)
	return Content{descriptor: described, images: []v1.Image{img}}, err
}

// Index returns the content of an archive with an index that lists the images in the given order, each with its
// platform.
func Index(images []v1.Image) (Content, error) {
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, img := range images {
		of, err := platform(img)
		if err != nil {
			return Content{}, err
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: img, Descriptor: v1.Descriptor{Platform: of}})
	}
	described, err := describe(index, types.OCIImageIndex)
	return Content{descriptor: described, index: index, images: images}, err
}

func platform(img v1.Image) (*v1.Platform, error) {
	config, err := img.ConfigFile()
	if err != nil {
		return nil, fmt.Errorf("cannot read the platform of an image: %w", err)
	}
	return config.Platform(), nil
}

// described is an image or an index of images.
type described interface {
	Digest() (v1.Hash, error)
	Size() (int64, error)
}

// describe returns the descriptor of an image or index.
func describe(content described, mediaType types.MediaType) (v1.Descriptor, error) {
	digest, err := content.Digest()
	if err != nil {
		return v1.Descriptor{}, err
	}
	size, err := content.Size()
	return v1.Descriptor{MediaType: mediaType, Digest: digest, Size: size}, err
}

// addBytes adds a file from memory.
func addBytes(tw *tar.Writer, name string, content []byte) error {
	return add(tw, name, int64(len(content)), bytes.NewReader(content))
}

// add copies one file into the archive. Its time is the Unix epoch, so that equal images give equal archives.
func add(tw *tar.Writer, name string, size int64, r io.Reader) error {
	h := &tar.Header{Name: name, Mode: 0o644, Size: size, ModTime: time.Unix(0, 0), Typeflag: tar.TypeReg}
	if err := tw.WriteHeader(h); err != nil {
		return err
	}
	_, err := io.Copy(tw, r)
	return err
}

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
