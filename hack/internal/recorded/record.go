package recorded

import (
	"context"
	"encoding/json"
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
	"github.com/openservicemesh/osm-operator/hack/internal/build"
	"github.com/openservicemesh/osm-operator/hack/internal/progress"
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

// listFile is the image builder's list in its output folder.
const listFile = "images.lock"

// Image is one image of a recorded version.
type Image struct {
	// Archive is the path of the OCI archive.
	Archive string
	// Reference is the reference in released manifests, with tag and digest.
	Reference string
	// Recorded is the recorded digest of the image for Linux on amd64.
	Recorded string
	// Built is the digest of the image in the archive. It differs from the recorded digest if an input outside the
	// checkout, such as a Debian package, has changed.
	Built string
}

// IsReproduced reports whether the built image has the recorded digest.
func (i Image) IsReproduced() bool { return i.Recorded == i.Built }

// Builder builds recorded versions.
type Builder struct {
	// Root is the checkout.
	Root string
	// Cache is the project's cache folder.
	Cache string
	// Report prints the progress of builds.
	Report *progress.Reporter
}

// Images returns the images of a version, and builds them if they are not cached.
func (b Builder) Images(ctx context.Context, version string) ([]Image, error) {
	r, err := readRecord(b.Root, version)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Join(b.Cache, "versions"), 0o755); err != nil {
		return nil, fmt.Errorf("cannot create the cache folder: %w", err)
	}
	folder := filepath.Join(b.Cache, "versions", r.commit)
	unlock, err := build.Lock(folder + ".lock")
	if err != nil {
		return nil, err
	}
	defer unlock()
	if images, err := r.cachedImages(folder); err == nil {
		return images, nil
	}
	err = b.Report.Run(ctx, "building the images of "+version+" from commit "+r.commit, func(ctx context.Context) error { return b.build(ctx, r, folder) })
	if err != nil {
		return nil, err
	}
	return r.cachedImages(folder)
}

// cachedImages returns the images of an earlier build, or an error if one is missing.
func (r record) cachedImages(folder string) ([]Image, error) {
	text, err := os.ReadFile(filepath.Join(folder, listFile))
	if err != nil {
		return nil, err
	}
	var list map[string]struct{ Digest, Archive string }
	if err := json.Unmarshal(text, &list); err != nil {
		return nil, fmt.Errorf("%s in %s is damaged, remove the folder: %w", listFile, folder, err)
	}
	var images []Image
	for _, name := range r.names() {
		archive := filepath.Join(folder, list[name].Archive)
		if _, err := os.Stat(archive); list[name].Archive == "" || err != nil {
			return nil, errors.Join(fmt.Errorf("the image %s of %s was not built", name, r.version), err)
		}
		images = append(images, Image{Archive: archive, Reference: r.references[name], Recorded: r.digests[name], Built: list[name].Digest})
	}
	return images, nil
}

// build checks the commit out into a temporary folder and builds the images with the tools of that commit.
func (b Builder) build(ctx context.Context, r record, folder string) error {
	return b.checkOut(ctx, r, func(checkout string) error {
		// The partial result has another name until the build is complete.
		partial := folder + ".partial"
		if err := errors.Join(os.RemoveAll(partial), os.RemoveAll(folder)); err != nil {
			return err
		}
		arguments := append([]string{"run", "./images", "-o", partial, "-version", r.version}, r.names()...)
		if _, err := b.run(ctx, filepath.Join(checkout, "hack"), "go", arguments...); err != nil {
			return fmt.Errorf("cannot build the images of %s: %w", r.version, err)
		}
		return os.Rename(partial, folder)
	})
}

// run runs a program in a folder and returns its output. An error contains the output.
func (b Builder) run(ctx context.Context, folder, name string, arguments ...string) (string, error) {
	return build.Output(ctx, build.Command{Dir: folder, Args: append([]string{name}, arguments...)})
}

// WriteFiles writes the released files of a version into a folder: install.yaml, and the folders chart and bundle, with the
// digests of the released images.
func (b Builder) WriteFiles(ctx context.Context, version, folder string) error {
	list := Images(b.Root, version)
	images, err := lock.ReadFile(list)
	if err != nil {
		return err
	}
	if len(images) == 0 {
		return fmt.Errorf("%s was recorded without its images, so its files cannot be built: add its list of images", version)
	}
	return b.CheckOut(ctx, version, func(checkout string) error {
		dist := filepath.Join(checkout, "dist")
		if err := pinTree(os.DirFS(dist), "install.yaml", images, folder); err != nil {
			return err
		}
		if err := pinTree(os.DirFS(dist), "chart", images, folder); err != nil {
			return err
		}
		if _, err := b.run(ctx, checkout, "go", "run", "./internal/packaging/bundle/generate", "-images", list, filepath.Join(folder, "bundle")); err != nil {
			return fmt.Errorf("cannot generate the bundle of %s: %w", version, err)
		}
		return nil
	})
}

// pinTree copies a file or a tree into a folder, with the digests of images.
func pinTree(source fs.FS, root string, images lock.Images, folder string) error {
	return fs.WalkDir(source, root, func(name string, entry fs.DirEntry, err error) error {
		target := filepath.Join(folder, filepath.FromSlash(name))
		switch {
		case err != nil:
			return err
		case entry.IsDir():
			return os.MkdirAll(target, 0o755)
		}
		content, err := fs.ReadFile(source, name)
		if err != nil {
			return err
		}
		if content, err = images.Pin(content); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		return os.WriteFile(target, content, 0o644)
	})
}

// CheckOut checks the commit of a version out into a temporary folder, calls use with it, and removes it.
func (b Builder) CheckOut(ctx context.Context, version string, use func(folder string) error) error {
	r, err := readRecord(b.Root, version)
	if err != nil {
		return err
	}
	return b.checkOut(ctx, r, use)
}

func (b Builder) checkOut(ctx context.Context, r record, use func(folder string) error) error {
	if _, err := b.run(ctx, b.Root, "git", "cat-file", "-e", r.commit+"^{commit}"); err != nil {
		return fmt.Errorf("commit %s of %s is not in this clone: fetch the whole history, for example with "+
			"`git fetch --unshallow`: %w", r.commit, r.version, err)
	}
	parent, err := os.MkdirTemp("", "osm-"+r.version+"-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(parent)
	checkout := filepath.Join(parent, "checkout")
	if _, err := b.run(ctx, b.Root, "git", "worktree", "add", "--detach", checkout, r.commit); err != nil {
		return fmt.Errorf("cannot check out the commit of %s: %w", r.version, err)
	}
	defer func() {
		_, _ = b.run(context.WithoutCancel(ctx), b.Root, "git", "worktree", "remove", "--force", checkout)
	}()
	return use(checkout)
}
