package archive

import (
	"archive/tar"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
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

// Write writes the image to file as an OCI image layout, atomically.
func Write(file string, name Name, img v1.Image) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return fmt.Errorf("cannot create the output folder: %w", err)
	}
	tmp, err := os.CreateTemp(filepath.Dir(file), "writing-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(tmp.Name()) }() // Fails after the rename, when the file no longer exists.
	err = writeLayout(tmp, name, img)
	if closeErr := tmp.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return fmt.Errorf("cannot write the image %s: %w", name, err)
	}
	if err := os.Chmod(tmp.Name(), 0o644); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), file)
}

func writeLayout(w io.Writer, name Name, img v1.Image) error {
	index, err := index(name, img)
	if err != nil {
		return err
	}
	tw := tar.NewWriter(w)
	if err := addBytes(tw, "oci-layout", []byte(`{"imageLayoutVersion":"1.0.0"}`)); err != nil {
		return err
	}
	if err := addBytes(tw, "index.json", index); err != nil {
		return err
	}
	if err := addBlobs(tw, img); err != nil {
		return err
	}
	return tw.Close()
}

// index returns the layout's index.json, which lists the one image.
func index(name Name, img v1.Image) ([]byte, error) {
	digest, err := img.Digest()
	if err != nil {
		return nil, err
	}
	size, err := img.Size()
	if err != nil {
		return nil, err
	}
	return json.Marshal(v1.IndexManifest{
		SchemaVersion: 2,
		MediaType:     types.OCIImageIndex,
		Manifests: []v1.Descriptor{{
			MediaType:   types.OCIManifestSchema1,
			Digest:      digest,
			Size:        size,
			Platform:    &v1.Platform{OS: "linux", Architecture: "amd64"},
			Annotations: map[string]string{containerdName: name.String(), ociRefName: name.Tag},
		}},
	})
}

// addBlobs adds the manifest, the config and each distinct layer, each under its digest.
func addBlobs(tw *tar.Writer, img v1.Image) error {
	manifest, err := img.RawManifest()
	if err != nil {
		return err
	}
	manifestDigest, err := img.Digest()
	if err != nil {
		return err
	}
	config, err := img.RawConfigFile()
	if err != nil {
		return err
	}
	configDigest, err := img.ConfigName()
	if err != nil {
		return err
	}
	if err := addBytes(tw, blobPath(manifestDigest), manifest); err != nil {
		return err
	}
	if err := addBytes(tw, blobPath(configDigest), config); err != nil {
		return err
	}
	layers, err := img.Layers()
	if err != nil {
		return err
	}
	seen := map[v1.Hash]bool{}
	for _, l := range layers {
		if err := addLayer(tw, l, seen); err != nil {
			return err
		}
	}
	return nil
}

func addLayer(tw *tar.Writer, l v1.Layer, seen map[v1.Hash]bool) error {
	digest, err := l.Digest()
	if err != nil || seen[digest] {
		return err
	}
	seen[digest] = true
	size, err := l.Size()
	if err != nil {
		return err
	}
	rc, err := l.Compressed()
	if err != nil {
		return err
	}
	defer rc.Close()
	return add(tw, blobPath(digest), size, rc)
}

func blobPath(h v1.Hash) string { return "blobs/" + h.Algorithm + "/" + h.Hex }
