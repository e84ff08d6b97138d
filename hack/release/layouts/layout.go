package layouts

import (
	"archive/tar"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"

	"github.com/openservicemesh/osm-operator/hack/internal/files"
)

// Marks of the entries of index.json, as `cosign save` sets them.
const (
	kindAnnotation   = "kind"
	kindIndex        = "dev.cosignproject.cosign/imageIndex"
	kindSignatures   = "dev.cosignproject.cosign/sigs"
	kindAttestations = "dev.cosignproject.cosign/atts"
)

// Layout is an unpacked archive with one image index.
type Layout struct {
	// Folder is the folder of the layout.
	Folder string
	path   layout.Path
	listed v1.IndexManifest
	// Digest is the digest of the image index.
	Digest v1.Hash
}

// Image is the image of one platform.
type Image struct {
	// Platform is the platform, such as linux/arm64, and Architecture its last part.
	Platform, Architecture string
	// Digest is the digest of the manifest.
	Digest v1.Hash
	// Config is the configuration of its containers.
	Config v1.Config
	// Program is the content of the entrypoint.
	Program []byte
}

// Open reads a folder with an image layout.
func Open(folder string) (Layout, error) {
	path, err := layout.FromPath(folder)
	if err != nil {
		return Layout{}, fmt.Errorf("%s is not an image layout: %w", folder, err)
	}
	index, err := path.ImageIndex()
	if err != nil {
		return Layout{}, err
	}
	listed, err := index.IndexManifest()
	if err != nil {
		return Layout{}, err
	}
	if len(listed.Manifests) == 0 || !listed.Manifests[0].MediaType.IsIndex() {
		return Layout{}, fmt.Errorf("the first entry of %s is not an image index", folder)
	}
	return Layout{Folder: folder, path: path, listed: *listed, Digest: listed.Manifests[0].Digest}, nil
}

// Images returns the images of the index.
func (l Layout) Images() ([]Image, error) {
	root, err := l.path.ImageIndex()
	if err != nil {
		return nil, err
	}
	index, err := root.ImageIndex(l.Digest)
	if err != nil {
		return nil, err
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		return nil, err
	}
	var images []Image
	for _, listed := range manifest.Manifests {
		img, err := index.Image(listed.Digest)
		if err != nil {
			return nil, err
		}
		image, err := read(img)
		if err != nil {
			return nil, fmt.Errorf("image %s: %w", listed.Digest, err)
		}
		image.Digest = listed.Digest
		images = append(images, image)
	}
	return images, nil
}

func read(img v1.Image) (Image, error) {
	config, err := img.ConfigFile()
	if err != nil {
		return Image{}, err
	}
	if len(config.Config.Entrypoint) == 0 {
		return Image{}, errors.New("it has no entrypoint")
	}
	image := Image{Platform: config.Platform().String(), Architecture: config.Architecture, Config: config.Config}
	layers, err := img.Layers()
	if err != nil {
		return Image{}, err
	}
	for _, layer := range layers {
		content, err := file(layer, config.Config.Entrypoint[0])
		if err != nil {
			return Image{}, err
		}
		if content != nil {
			image.Program = content
		}
	}
	if image.Program == nil {
		return Image{}, fmt.Errorf("no layer contains its entrypoint %s", config.Config.Entrypoint[0])
	}
	return image, nil
}

// file returns the content of a file of a layer, or nil if the layer does not contain it.
func file(layer v1.Layer, path string) ([]byte, error) {
	unpacked, err := layer.Uncompressed()
	if err != nil {
		return nil, err
	}
	defer unpacked.Close()
	for r := tar.NewReader(unpacked); ; {
		header, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		if header.Typeflag == tar.TypeReg && strings.Trim(header.Name, "/.") == strings.Trim(path, "/") {
			return io.ReadAll(r)
		}
	}
}

// Attach adds the images with the signature and with the provenance of the index. They get the tags that cosign uses for them in a
// registry.
func (l Layout) Attach(signature, provenance v1.Image) error {
	listed := l.listed.DeepCopy()
	listed.Manifests[0].Annotations[kindAnnotation] = kindIndex
	raw, err := json.Marshal(listed)
	if err != nil {
		return err
	}
	if err := l.path.WriteFile("index.json", raw, 0o644); err != nil {
		return err
	}
	tag := strings.Replace(l.Digest.String(), ":", "-", 1)
	if err := l.attach(kindSignatures, tag+".sig", signature); err != nil {
		return err
	}
	return l.attach(kindAttestations, tag+".att", provenance)
}

func (l Layout) attach(kind, tag string, img v1.Image) error {
	return l.path.AppendImage(img, layout.WithAnnotations(map[string]string{kindAnnotation: kind, "org.opencontainers.image.ref.name": tag}))
}

// Unpack unpacks an archive into a folder.
func Unpack(archive, folder string) error {
	file, err := os.Open(archive)
	if err != nil {
		return err
	}
	defer file.Close()
	root, err := os.OpenRoot(folder)
	if err != nil {
		return err
	}
	defer root.Close()
	for r := tar.NewReader(file); ; {
		header, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s is not a tar file: %w", archive, err)
		}
		if err := unpackFile(root, header, r); err != nil {
			return fmt.Errorf("cannot unpack %s from %s: %w", header.Name, archive, err)
		}
	}
}

func unpackFile(root *os.Root, header *tar.Header, content io.Reader) error {
	name := filepath.FromSlash(header.Name)
	if err := root.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	file, err := root.Create(name)
	if err != nil {
		return err
	}
	if _, err := io.Copy(file, content); err != nil {
		file.Close()
		return err
	}
	return file.Close()
}

// Pack replaces an archive by the files of a folder. Equal files give equal bytes. The files of a layout come before
// its blobs.
func Pack(folder, archive string) error {
	var names []string
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		name, err := filepath.Rel(folder, path)
		names = append(names, filepath.ToSlash(name))
		return err
	})
	if err != nil {
		return err
	}
	slices.SortFunc(names, func(a, b string) int {
		return cmp.Or(strings.Count(a, "/")-strings.Count(b, "/"), -strings.Compare(a, b))
	})
	if err := files.Write(archive, 0o644, func(w io.Writer) error { return writeArchive(w, folder, names) }); err != nil {
		return fmt.Errorf("cannot pack %s: %w", archive, err)
	}
	return nil
}

func writeArchive(archive io.Writer, folder string, names []string) error {
	w := tar.NewWriter(archive)
	for _, name := range names {
		if err := addFile(w, folder, name); err != nil {
			return err
		}
	}
	return w.Close()
}

func addFile(w *tar.Writer, folder, name string) error {
	file, err := os.Open(filepath.Join(folder, filepath.FromSlash(name)))
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: info.Size(), ModTime: time.Unix(0, 0)}); err != nil {
		return err
	}
	_, err = io.Copy(w, file)
	return err
}
