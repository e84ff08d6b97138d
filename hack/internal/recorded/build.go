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
	command := exec.CommandContext(ctx, name, arguments...)
	command.Dir = folder
	out, err := command.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w: %s", name, strings.Join(arguments, " "), err, strings.TrimSpace(string(out)))
	}
	return string(out), nil
}
