package recorded

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

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

// earlier has where v0.3.0 has folders of this checkout that have moved since. It goes with that version.
var earlier = map[string]string{
	"internal/mesh/envoy":       "internal/envoy",
	"internal/packaging/bundle": "internal/bundle",
	"internal/platform/names":   "internal/names",
}

// Folder returns where the checkout of a recorded version has a folder of this checkout. Both are relative to their checkout.
func Folder(checkout, folder string) string {
	if _, err := os.Stat(filepath.Join(checkout, folder)); err == nil {
		return folder
	}
	for parent := folder; parent != "."; parent = path.Dir(parent) {
		if moved, found := earlier[parent]; found {
			return moved + strings.TrimPrefix(folder, parent)
		}
	}
	return folder
}
