package build

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Cache is a folder of finished artifacts.
type Cache struct{ Dir string }

// Artifact is a build result that takes long to build and depends only on its inputs.
type Artifact struct {
	// Name is the folder's name in the cache, such as "kubernetes".
	Name string
	// Inputs are all strings that determine the content: versions, flags, keys of other artifacts.
	Inputs []string
	// Sources are files and folders whose content determines the artifact too.
	Sources []string
	// Make writes the artifact into an empty folder.
	Make func(ctx context.Context, dir string) error
}

// Folder returns the folder of the artifact, and whether it exists.
func (c Cache) Folder(a Artifact) (string, bool, error) {
	key, err := Key(a)
	if err != nil {
		return "", false, err
	}
	dir := filepath.Join(c.Dir, a.Name, key)
	_, err = os.Stat(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return dir, false, nil
	}
	return dir, err == nil, err
}

// Ensure builds the artifact if the cache does not have it and returns its folder. Interrupted runs leave no partial
// folder under the final name, and concurrent runs build only once. wrap runs the build and may report it.
func (c Cache) Ensure(ctx context.Context, a Artifact, wrap func(func(context.Context) error) error) (string, error) {
	dir, there, err := c.Folder(a)
	if err != nil || there {
		return dir, err
	}
	unlock, err := Lock(filepath.Join(c.Dir, a.Name+".lock"))
	if err != nil {
		return "", err
	}
	defer unlock()
	if _, there, err = c.Folder(a); err != nil || there {
		return dir, err
	}
	err = wrap(func(ctx context.Context) error { return c.build(ctx, a, dir) })
	if err != nil {
		return "", fmt.Errorf("cannot build %s: %w", a.Name, err)
	}
	return dir, nil
}

func (c Cache) build(ctx context.Context, a Artifact, dir string) error {
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return err
	}
	temporary, err := os.MkdirTemp(filepath.Dir(dir), ".partial-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temporary)
	if err := os.Chmod(temporary, 0o755); err != nil {
		return err
	}
	if err := a.Make(ctx, temporary); err != nil {
		return err
	}
	return os.Rename(temporary, dir)
}

// Lock takes an exclusive lock on the file and waits for its current holder. It creates the file if needed. The lock
// ends with the process, so a killed run does not leave it behind.
func Lock(file string) (unlock func(), err error) {
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(file, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil {
		f.Close()
		return nil, fmt.Errorf("cannot lock %s: %w", file, err)
	}
	return func() { f.Close() }, nil
}
