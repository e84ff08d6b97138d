package operand

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"sync"

	"k8s.io/apimachinery/pkg/util/version"
)

// manifests contains a folder for each version.
//
//go:embed all:manifests
var manifests embed.FS

// currentFolder contains the manifests of the version that this source builds.
const currentFolder = "current"

// Catalogue is the set of control-plane versions that an operator can install.
type Catalogue struct {
	files   fs.FS
	current string
	images  Images
	// registry comes before the images of frozen versions; empty for none.
	registry string
	// frozen is the file system of each frozen version.
	frozen map[string]fs.FS
	// opened caches releases: every reconcile of a mesh reads one, and decoding it takes milliseconds.
	opened map[string]*Release
	mu     sync.Mutex
}

// NewCatalogue opens the embedded manifests. current is the operator's own version, which is rendered from the folder
// "current" with the given images. A frozen copy of the same version is ignored.
func NewCatalogue(current string, images Images) (*Catalogue, error) {
	files, err := fs.Sub(manifests, "manifests")
	if err != nil {
		return nil, fmt.Errorf("the embedded manifests cannot be opened: %w", err)
	}
	return OpenCatalogue(files, current, images)
}

// OpenCatalogue is NewCatalogue with other manifests: a folder for each version, and the folder "current".
func OpenCatalogue(files fs.FS, current string, images Images) (*Catalogue, error) {
	folders, err := fs.ReadDir(files, ".")
	if err != nil {
		return nil, fmt.Errorf("the versions of the control plane cannot be listed: %w", err)
	}
	c := &Catalogue{files: files, current: current, images: images, frozen: map[string]fs.FS{}, opened: map[string]*Release{}}
	for _, folder := range folders {
		if name := folder.Name(); folder.IsDir() && name != currentFolder && name != current {
			c.frozen[name] = files
		}
	}
	return c, nil
}

// Add adds versions: files has a folder for each, as written by Freeze. A version that is already known is an error, because it would be
// ambiguous.
func (c *Catalogue) Add(files fs.FS) error {
	folders, err := fs.ReadDir(files, ".")
	if err != nil {
		return fmt.Errorf("additional versions of the control plane cannot be listed: %w", err)
	}
	for _, folder := range folders {
		name := folder.Name()
		// In a mounted ConfigMap, version folders are symbolic links to folders whose names begin with two dots.
		info, err := fs.Stat(files, name)
		if err != nil {
			return fmt.Errorf("the additional version %s cannot be read: %w", name, err)
		}
		if !info.IsDir() || strings.HasPrefix(name, ".") {
			continue
		}
		if slices.Contains(c.Known(), name) {
			return fmt.Errorf("version %s is already known: remove its additional folder", name)
		}
		if _, err := readFolder(files, name); err != nil {
			return err
		}
		c.frozen[name] = files
	}
	return nil
}

// UseRegistry makes frozen versions use copies of their images in a registry, with an optional path. It is called before Release. The images
// of the current version are those that NewCatalogue was given.
func (c *Catalogue) UseRegistry(registry string) { c.registry = registry }

// Current is the version of the operator, the default version of a mesh.
func (c *Catalogue) Current() string { return c.current }

// Known lists all versions, oldest first.
func (c *Catalogue) Known() []string {
	known := append(slices.Collect(maps.Keys(c.frozen)), c.current)
	slices.SortFunc(known, Compare)
	return known
}

// Release returns a version, decoded once. Callers share the result and must not modify it. An unknown version returns an
// UnknownVersionError.
func (c *Catalogue) Release(name string) (*Release, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if release, ok := c.opened[name]; ok {
		return release, nil
	}
	files, folder := c.files, currentFolder
	if name != c.current {
		var known bool
		if files, known = c.frozen[name]; !known {
			return nil, &UnknownVersionError{Version: name, Known: c.Known()}
		}
		folder = name
	}
	objects, err := readFolder(files, folder)
	if err != nil {
		return nil, err
	}
	release := &Release{Version: name, objects: objects, Images: c.images}
	if folder != currentFolder {
		release.Images = imagesOf(objects).in(c.registry)
	}
	c.opened[name] = release
	return release, nil
}

// IsUnknownVersion reports whether an error is an UnknownVersionError.
func IsUnknownVersion(err error) bool {
	var unknown *UnknownVersionError
	return errors.As(err, &unknown)
}

// UnknownVersionError is returned for a version that the operator cannot install.
type UnknownVersionError struct {
	// Version is the requested version.
	Version string
	// Known lists the versions that can be installed, oldest first.
	Known []string
}

// Error implements error.
func (e *UnknownVersionError) Error() string {
	return fmt.Sprintf("this operator cannot install version %s: choose one of %s, or install an operator that supports it", e.Version, strings.Join(e.Known, ", "))
}

// Compare orders versions, older first. Names that are not semantic versions, such as "dev", come last.
func Compare(a, b string) int {
	va, errA := version.ParseSemantic(a)
	vb, errB := version.ParseSemantic(b)
	switch {
	case errA != nil && errB != nil:
		return strings.Compare(a, b)
	case errA != nil:
		return 1
	case errB != nil:
		return -1
	case va.LessThan(vb):
		return -1
	case vb.LessThan(va):
		return 1
	}
	return strings.Compare(a, b)
}
