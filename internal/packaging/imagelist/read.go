package imagelist

import (
	"encoding/json"
	"fmt"
	"os"
)

// Image is a built image.
type Image struct {
	// Reference is the name with the tag, and Digest the digest of the manifest.
	Reference, Digest string
}

// Pinned returns the reference with the digest; empty without a digest.
func (i Image) Pinned() string {
	if i.Digest == "" {
		return ""
	}
	return i.Reference + "@" + i.Digest
}

// Read reads the images of a list by their short names.
func Read(file string) (map[string]Image, error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("cannot read the image list, build the images first: %w", err)
	}
	var built map[string]Image
	if err := json.Unmarshal(content, &built); err != nil {
		return nil, fmt.Errorf("the image list %s is invalid: %w", file, err)
	}
	return built, nil
}
