package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/openservicemesh/osm-operator/hack/images/lock"
)

// writeManifests writes the installation manifest, the chart and the bundle with the digests of the images. The operator
// so runs, and installs, exactly the images of this release.
func (r *release) writeManifests(ctx context.Context) error {
	manifest, err := os.ReadFile(filepath.Join(r.Root, "dist", "install.yaml"))
	if err != nil {
		return err
	}
	if manifest, err = r.images.Pin(manifest); err != nil {
		return err
	}
	if err := r.write("install.yaml", manifest); err != nil {
		return err
	}
	// The name of the folder is that of the chart, as in archives of `helm package`.
	chart, err := pack(os.DirFS(filepath.Join(r.Root, "dist", "chart")), "osm-operator", r.images, r.Time)
	if err != nil {
		return err
	}
	if err := r.write(fmt.Sprintf("osm-operator-%s.tgz", strings.TrimPrefix(r.Version, "v")), chart); err != nil {
		return err
	}
	return r.writeBundle(ctx)
}

// writeBundle generates the bundle with complete references, and packs it.
func (r *release) writeBundle(ctx context.Context) error {
	scratch, err := os.MkdirTemp("", "osm-bundle-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(scratch)
	folder := filepath.Join(scratch, "bundle")
	if err := runVisibly(ctx, r.Root, "go", "run", "./internal/packaging/bundle/generate", "-images", filepath.Join(r.folder, "images", lock.File), folder); err != nil {
		return err
	}
	packed, err := pack(os.DirFS(folder), "bundle", nil, r.Time)
	if err != nil {
		return err
	}
	return r.write("osm-operator-bundle-"+r.Version+".tar.gz", packed)
}

// pack returns a compressed tar of the files of a tree, in a folder with the given name. With images, it adds their
// digests to all references. All files have the same time, so that equal files give equal bytes.
func pack(tree fs.FS, folder string, images lock.Images, at time.Time) ([]byte, error) {
	var packed bytes.Buffer
	compressed := gzip.NewWriter(&packed)
	w := tar.NewWriter(compressed)
	err := fs.WalkDir(tree, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := fs.ReadFile(tree, name)
		if err != nil {
			return err
		}
		if images != nil {
			if content, err = images.Pin(content); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
		header := &tar.Header{Name: path.Join(folder, name), Mode: 0o644, Size: int64(len(content)), ModTime: at, Format: tar.FormatPAX}
		if err := w.WriteHeader(header); err != nil {
			return err
		}
		_, err = w.Write(content)
		return err
	})
	if err := errors.Join(err, w.Close(), compressed.Close()); err != nil {
		return nil, fmt.Errorf("cannot pack the %s: %w", folder, err)
	}
	return packed.Bytes(), nil
}
