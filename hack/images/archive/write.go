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

// Write writes an image or image index to file as an OCI image layout, atomically.
func Write(file string, name Name, content Content) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return fmt.Errorf("cannot create the output folder: %w", err)
	}
	tmp, err := os.CreateTemp(filepath.Dir(file), "writing-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(tmp.Name()) }() // Fails after the rename, when the file no longer exists.
	err = writeLayout(tmp, name, content)
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
