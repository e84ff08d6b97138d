package operand

import (
	"embed"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"sync"

	"k8s.io/apimachinery/pkg/util/version"
)

// manifests holds a folder for each version.
//
//go:embed all:manifests
var manifests embed.FS

// currentFolder holds the manifests of the version that this source builds.
const currentFolder = "current"

// Catalogue is the set of control-plane versions that an operator can install.
type Catalogue struct {
	files   fs.FS
	current string
	images  Images
	// frozen has the folder of each version that is written down.
	frozen map[string]fs.FS
	// opened has each version that was asked for: every look at a mesh asks for one, and reading it takes milliseconds.
	opened map[string]*Release
	mu     sync.Mutex
}

// NewCatalogue opens the embedded manifests. current is the operator's own version, which is rendered from the folder
// "current" with the given images. A frozen copy of the same version is not used: the source it was made from is here.
func NewCatalogue(current string, images Images) (*Catalogue, error) {
	files, err := fs.Sub(manifests, "manifests")
	if err != nil {
		return nil, fmt.Errorf("the embedded manifests cannot be opened: %w", err)
	}
	return OpenCatalogue(files, current, images)
}

// OpenCatalogue is NewCatalogue with manifests from elsewhere: a folder for each version, and the folder "current".
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

// Add makes further versions known: files has a folder for each, as Freeze wrote it. A version that is known already is an error:
// it would be unclear which of the two is meant.
func (c *Catalogue) Add(files fs.FS) error {
	folders, err := fs.ReadDir(files, ".")
	if err != nil {
		return fmt.Errorf("further versions of the control plane cannot be listed: %w", err)
	}
	for _, folder := range folders {
		name := folder.Name()
		// In a mounted ConfigMap, what is named like a folder is a link to one; the folders themselves begin with two dots.
		info, err := fs.Stat(files, name)
		if err != nil {
			return fmt.Errorf("the further version %s cannot be read: %w", name, err)
		}
		if !info.IsDir() || strings.HasPrefix(name, ".") {
			continue
		}
		if slices.Contains(c.Known(), name) {
			return fmt.Errorf("version %s is known already: remove its further folder", name)
		}
		if _, err := readFolder(files, name); err != nil {
			return err
		}
		c.frozen[name] = files
	}
	return nil
}

// Current is the version that the operator itself was built as, the default of a mesh.
func (c *Catalogue) Current() string { return c.current }

// Known lists all versions, oldest first.
func (c *Catalogue) Known() []string {
	known := append(slices.Collect(maps.Keys(c.frozen)), c.current)
	slices.SortFunc(known, Compare)
	return known
}

// Release opens one version, once: what it answers is shared, and nobody may change it. An unknown version is an error that lists those
// that are known.
func (c *Catalogue) Release(wanted string) (*Release, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if release, ok := c.opened[wanted]; ok {
		return release, nil
	}
	files, folder := c.files, currentFolder
	if wanted != c.current {
		var known bool
		if files, known = c.frozen[wanted]; !known {
			return nil, &UnknownVersionError{Wanted: wanted, Known: c.Known()}
		}
		folder = wanted
	}
	objects, err := readFolder(files, folder)
	if err != nil {
		return nil, err
	}
	release := &Release{Version: wanted, objects: objects, Images: c.images}
	if folder != currentFolder {
		release.Images = imagesOf(objects)
	}
	c.opened[wanted] = release
	return release, nil
}

// UnknownVersionError says that the operator cannot install a version.
type UnknownVersionError struct {
	// Wanted is what was asked for.
	Wanted string
	// Known are the versions that can be installed, oldest first.
	Known []string
}

// Error says what is wrong and what to choose instead.
func (e *UnknownVersionError) Error() string {
	return fmt.Sprintf("this operator cannot install version %s: choose one of %s, or install an operator that knows it", e.Wanted, strings.Join(e.Known, ", "))
}

// Compare orders versions, older first. What is no version, such as the "dev" of a plain build, comes last.
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
