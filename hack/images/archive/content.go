package archive

import (
	"fmt"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

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
