package recorded

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
)

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
