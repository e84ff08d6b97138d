package recorded

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/openservicemesh/osm-operator/hack/images/lock"
)

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
		if _, err := b.run(ctx, checkout, "go", "run", "./"+Folder(checkout, "internal/packaging/bundle/generate"), "-images", list, filepath.Join(folder, "bundle")); err != nil {
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
