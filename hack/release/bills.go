package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/openservicemesh/osm-operator/hack/images/lock"
	"github.com/openservicemesh/osm-operator/hack/release/layouts"
	"github.com/openservicemesh/osm-operator/hack/release/sbom"
)

// writeBillsOfMaterials writes the bills of materials of the images of each platform, and of the command line.
func (r *release) writeBillsOfMaterials(context.Context) error {
	for _, name := range slices.Sorted(maps.Keys(r.images)) {
		if err := r.writeBillsOfImage(name, r.images[name]); err != nil {
			return fmt.Errorf("bill of materials of %s: %w", name, err)
		}
	}
	archives, err := filepath.Glob(filepath.Join(r.folder, "osm-"+r.Version+"-*-*"))
	if err != nil {
		return err
	}
	for _, archive := range archives {
		if err := r.writeBillsOfArchive(archive); err != nil {
			return fmt.Errorf("bill of materials of %s: %w", filepath.Base(archive), err)
		}
	}
	return nil
}

func (r *release) writeBillsOfImage(name string, built lock.Image) error {
	layout, remove, err := r.unpack(built)
	if err != nil {
		return err
	}
	defer remove()
	images, err := layout.Images()
	if err != nil {
		return err
	}
	for _, image := range images {
		subject, err := r.subjectOf(built, image)
		if err != nil {
			return err
		}
		document := fmt.Sprintf("%s-%s-%s", name, r.Version, strings.ReplaceAll(image.Platform, "/", "-"))
		if err := r.writeBills(document, subject); err != nil {
			return err
		}
	}
	return nil
}

// unpack unpacks the archive of an image into a temporary folder, which remove removes.
func (r *release) unpack(built lock.Image) (l layouts.Layout, remove func(), err error) {
	folder, err := os.MkdirTemp(r.folder, ".layout-")
	if err != nil {
		return l, nil, err
	}
	remove = func() { _ = os.RemoveAll(folder) }
	if err = layouts.Unpack(r.archive(built), folder); err == nil {
		l, err = layouts.Open(folder)
	}
	if err != nil {
		remove()
	}
	return l, remove, err
}

// archive is the path of the archive of an image.
func (r *release) archive(built lock.Image) string {
	return filepath.Join(r.folder, "images", built.Archive)
}

// subjectOf returns the subject of an image: the modules of its program, unless that comes from a package, and the
// packages of its platform.
func (r *release) subjectOf(built lock.Image, image layouts.Image) (sbom.Subject, error) {
	repository, _, _ := strings.Cut(built.Reference, ":v")
	subject := sbom.Subject{Name: repository, Version: r.Version, IsImage: true, SHA256: image.Digest.Hex, Created: r.Time}
	for _, source := range built.Sources {
		if source.Platform != image.Platform {
			continue
		}
		component, err := sbom.Downloaded(source.Name, source.Version, source.SHA256, image.Architecture)
		if err != nil {
			return subject, err
		}
		subject.Components = append(subject.Components, component)
	}
	if len(subject.Components) > 0 {
		subject.Components = sbom.Sort(subject.Components)
		return subject, nil
	}
	modules, err := sbom.Modules(image.Program, r.Version)
	subject.Components = modules
	return subject, err
}

func (r *release) writeBillsOfArchive(archive string) error {
	program, err := programOf(archive)
	if err != nil {
		return err
	}
	modules, err := sbom.Modules(program, r.Version)
	if err != nil {
		return err
	}
	sum := sha256.Sum256(program)
	name := strings.TrimSuffix(strings.TrimSuffix(filepath.Base(archive), ".zip"), ".tar.gz")
	return r.writeBills(name, sbom.Subject{Name: "osm", Version: r.Version, SHA256: hex.EncodeToString(sum[:]), Components: modules, Created: r.Time})
}

// writeBills writes the documents of a subject in both formats.
func (r *release) writeBills(name string, subject sbom.Subject) error {
	for suffix, format := range map[string]func(sbom.Subject) ([]byte, error){".spdx.json": sbom.SPDX, ".cdx.json": sbom.CycloneDX} {
		content, err := format(subject)
		if err != nil {
			return err
		}
		if err := r.write("sbom/"+name+suffix, content); err != nil {
			return err
		}
	}
	return nil
}

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
	if err := runVisibly(ctx, r.Root, "go", "run", "./internal/packaging/bundle/generate", "-images",
		filepath.Join(r.folder, "images", lock.File), folder); err != nil {
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
