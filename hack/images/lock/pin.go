package lock

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

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
