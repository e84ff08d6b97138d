package fetch

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path"

	"github.com/openservicemesh/osm-operator/hack/images/rootfs"
)

// Unpack adds the files of a .deb that match one of the path.Match patterns, such as "lib/x86_64-linux-gnu/*", to tree.
// Parent directories are created, and root owns everything.
func Unpack(ctx context.Context, deb string, patterns []string, tree *rootfs.Tree) error {
	raw, err := run(ctx, "", nil, "dpkg-deb", "--fsys-tarfile", deb)
	if err != nil {
		return err
	}
	tr := tar.NewReader(bytes.NewReader(raw))
	for {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s cannot be read: %w", deb, err)
		}
		if !matches(patterns, rootfs.Clean(h.Name)) {
			continue
		}
		if err := addEntry(tr, h, tree); err != nil {
			return fmt.Errorf("cannot extract %s from %s: %w", h.Name, deb, err)
		}
	}
}

func addEntry(tr *tar.Reader, h *tar.Header, tree *rootfs.Tree) error {
	switch h.Typeflag {
	case tar.TypeSymlink:
		tree.Link(h.Name, h.Linkname)
	case tar.TypeReg:
		content, err := io.ReadAll(tr)
		if err != nil {
			return err
		}
		tree.File(h.Name, h.Mode&0o777, content)
	}
	return nil
}

func matches(patterns []string, name string) bool {
	for _, p := range patterns {
		if ok, err := path.Match(p, name); err == nil && ok {
			return true
		}
	}
	return false
}
