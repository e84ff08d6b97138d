package recorded

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// manifests is the folder that has a folder for each version, relative to the checkout.
const manifests = "internal/operand/manifests"

// pinned finds the images of a manifest: the short name, and the digest.
var pinned = regexp.MustCompile(`docker\.io/openservicemesh/([a-z0-9-]+):[^@\s"]+@(sha256:[0-9a-f]{64})`)

// Versions lists the versions that were written down in a checkout, sorted by name, but for the one that it builds itself.
func Versions(root string) ([]string, error) {
	present, err := os.ReadFile(filepath.Join(root, "VERSION"))
	if err != nil {
		return nil, err
	}
	commits, err := filepath.Glob(filepath.Join(root, filepath.FromSlash(manifests), "*", "COMMIT"))
	if err != nil {
		return nil, err
	}
	var versions []string
	for _, file := range commits {
		if version := filepath.Base(filepath.Dir(file)); version != strings.TrimSpace(string(present)) {
			versions = append(versions, version)
		}
	}
	return versions, nil
}

// record is what was written down about a version.
type record struct {
	version string
	// commit is what the version was built from.
	commit string
	// references are the images as the manifests name them, by short name.
	references map[string]string
	// digests are those of the references, by short name.
	digests map[string]string
}

// readRecord reads what was written down about a version.
func readRecord(root, version string) (record, error) {
	folder := filepath.Join(root, filepath.FromSlash(manifests), version)
	commit, err := os.ReadFile(filepath.Join(folder, "COMMIT"))
	if errors.Is(err, fs.ErrNotExist) {
		return record{}, fmt.Errorf("version %q was never written down: %s has no file COMMIT", version, folder)
	}
	if err != nil {
		return record{}, err
	}
	r := record{version: version, commit: strings.TrimSpace(string(commit)), references: map[string]string{}, digests: map[string]string{}}
	files, err := filepath.Glob(filepath.Join(folder, "*.yaml"))
	if err != nil {
		return record{}, err
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return record{}, err
		}
		for _, found := range pinned.FindAllStringSubmatch(string(text), -1) {
			r.references[found[1]], r.digests[found[1]] = found[0], found[2]
		}
	}
	if len(r.references) == 0 {
		return record{}, fmt.Errorf("the manifests in %s name no image with a digest", folder)
	}
	return r, nil
}

// names are the short names of the images, sorted.
func (r record) names() []string { return slices.Sorted(maps.Keys(r.references)) }
