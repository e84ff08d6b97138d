package recorded

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/openservicemesh/osm-operator/hack/internal/build"
	"github.com/openservicemesh/osm-operator/hack/internal/progress"
)

// listFile is the list that the image builder leaves in its output folder.
const listFile = "images.lock"

// Image is one image of a recorded version.
type Image struct {
	// Archive is the path of its OCI archive.
	Archive string
	// Reference is how the manifests name it, with tag and digest.
	Reference string
	// Built is the digest of what is in the archive. It differs from that of the reference when something that is not part of the
	// checkout, such as a Debian package, is another one now.
	Built string
}

// Same says whether what was built is what was written down.
func (i Image) Same() bool { return strings.HasSuffix(i.Reference, "@"+i.Built) }

// Builder builds recorded versions.
type Builder struct {
	// Root is the checkout.
	Root string
	// Cache is the project's cache folder.
	Cache string
	// Report tells people what takes time.
	Report *progress.Reporter
}

// Images returns the images of a version, which are built unless the cache has them.
func (b Builder) Images(ctx context.Context, version string) ([]Image, error) {
	r, err := readRecord(b.Root, version)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Join(b.Cache, "versions"), 0o755); err != nil {
		return nil, fmt.Errorf("cannot make the cache folder: %w", err)
	}
	folder := filepath.Join(b.Cache, "versions", r.commit)
	unlock, err := build.Lock(folder + ".lock")
	if err != nil {
		return nil, err
	}
	defer unlock()
	if images, err := r.built(folder); err == nil {
		return images, nil
	}
	err = b.Report.Run(ctx, "building the images of "+version+" from commit "+r.commit, func(ctx context.Context) error { return b.make(ctx, r, folder) })
	if err != nil {
		return nil, err
	}
	return r.built(folder)
}

// built reads what an earlier build has left; an error says what is missing.
func (r record) built(folder string) ([]Image, error) {
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
		images = append(images, Image{Archive: archive, Reference: r.references[name], Built: list[name].Digest})
	}
	return images, nil
}

// make checks the commit out elsewhere and builds with the tools of that commit.
func (b Builder) make(ctx context.Context, r record, folder string) error {
	return b.checkOut(ctx, r, func(checkout string) error {
		// Half a build has another name, so that it is never taken for a whole one.
		half := folder + ".half"
		if err := errors.Join(os.RemoveAll(half), os.RemoveAll(folder)); err != nil {
			return err
		}
		arguments := append([]string{"run", "./images", "-o", half, "-version", r.version}, r.names()...)
		if _, err := b.run(ctx, filepath.Join(checkout, "hack"), "go", arguments...); err != nil {
			return fmt.Errorf("the images of %s cannot be built: %w", r.version, err)
		}
		return os.Rename(half, folder)
	})
}

// run runs a program in a folder and returns what it prints; an error has what it says.
func (b Builder) run(ctx context.Context, folder, name string, arguments ...string) (string, error) {
	command := exec.CommandContext(ctx, name, arguments...)
	command.Dir = folder
	out, err := command.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w: %s", name, strings.Join(arguments, " "), err, strings.TrimSpace(string(out)))
	}
	return string(out), nil
}
