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

	"golang.org/x/mod/semver"

	"github.com/openservicemesh/osm-operator/hack/images/lock"
)

// manifests is the folder of recorded versions, relative to the checkout; each has a folder.
const manifests = "internal/operator/operand/manifests"

// imagesFile is the file in the folder of a recorded version with the references and digests of its released images.
const imagesFile = "IMAGES"

const (
	// operatorImage is the short name of the operator's image.
	operatorImage = "osm-operator"
	// builtPlatform is the platform of the images that this package builds.
	builtPlatform = "linux/amd64"
)

// pinnedImage matches the images of a manifest: the short name, and the digest.
var pinnedImage = regexp.MustCompile(`docker\.io/openservicemesh/([a-z0-9-]+):[^@\s"]+@(sha256:[0-9a-f]{64})`)

// Versions returns the recorded versions of a checkout in ascending order, without the version that it builds itself.
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
	semver.Sort(versions)
	return versions, nil
}

// Commit returns the commit that a version was recorded from, and false if it is not recorded.
func Commit(root, version string) (string, bool, error) {
	commit, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(manifests), version, "COMMIT"))
	if errors.Is(err, fs.ErrNotExist) {
		return "", false, nil
	}
	return strings.TrimSpace(string(commit)), err == nil, err
}

// Images returns the path of the list of the released images of a version.
func Images(root, version string) string {
	return filepath.Join(root, filepath.FromSlash(manifests), version, imagesFile)
}

// record describes a recorded version.
type record struct {
	version string
	// commit is the commit that the version was built from.
	commit string
	// references are the image references of the manifests, by short name.
	references map[string]string
	// digests are the digests of single images for Linux on amd64 that a build must reproduce, by short name. For an image
	// index, which references name, they are in the file IMAGES.
	digests map[string]string
}

// readRecord reads the record of a version.
func readRecord(root, version string) (record, error) {
	folder := filepath.Join(root, filepath.FromSlash(manifests), version)
	commit, isRecorded, err := Commit(root, version)
	if err != nil {
		return record{}, err
	}
	if !isRecorded {
		return record{}, fmt.Errorf("version %q is not recorded: %s has no file COMMIT", version, folder)
	}
	r := record{version: version, commit: commit, references: map[string]string{}, digests: map[string]string{}}
	files, err := filepath.Glob(filepath.Join(folder, "*.yaml"))
	if err != nil {
		return record{}, err
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return record{}, err
		}
		for _, found := range pinnedImage.FindAllStringSubmatch(string(text), -1) {
			r.references[found[1]], r.digests[found[1]] = found[0], found[2]
		}
	}
	if len(r.references) == 0 {
		return record{}, fmt.Errorf("the manifests in %s have no image with a digest", folder)
	}
	released, err := lock.ReadFile(Images(root, version))
	if err != nil {
		return record{}, err
	}
	r.addReleased(released)
	return r, nil
}

// addReleased adds the operator, which no manifest refers to, and the digests of images that are part of an
// index.
func (r record) addReleased(released lock.Images) {
	if operator, exists := released[operatorImage]; exists {
		r.references[operatorImage], r.digests[operatorImage] = operator.Reference+"@"+operator.Digest, operator.Digest
	}
	for name := range r.references {
		if single := released[name].Platforms[builtPlatform]; single != "" {
			r.digests[name] = single
		}
	}
}

// names returns the sorted short names of the images.
func (r record) names() []string { return slices.Sorted(maps.Keys(r.references)) }
