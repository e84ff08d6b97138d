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

// Artifact is something that takes long to make and always comes out the same.
type Artifact struct {
	// Name is the folder's name in the cache, such as "kubernetes".
	Name string
	// Inputs is everything that decides the content: versions, flags, other artifacts' keys.
	Inputs []string
	// Sources are files, and folders whose files, decide the content too.
	Sources []string
	// Make writes the artifact into an empty folder.
	Make func(ctx context.Context, dir string) error
}

// Folder returns where the artifact is or will be, and whether it is there.
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

// Ensure makes the artifact if the cache does not hold it and returns its folder. An interrupted run leaves no half-made folder
// under the final name, and two runs at once make it only once. What is to be made is handed to the function making, which runs it and may tell about it.
func (c Cache) Ensure(ctx context.Context, a Artifact, making func(func(context.Context) error) error) (string, error) {
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
	err = making(func(ctx context.Context) error { return c.make(ctx, a, dir) })
	if err != nil {
		return "", fmt.Errorf("cannot make %s: %w", a.Name, err)
	}
	return dir, nil
}

func (c Cache) make(ctx context.Context, a Artifact, dir string) error {
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return err
	}
	temporary, err := os.MkdirTemp(filepath.Dir(dir), ".making-")
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

// Lock takes an exclusive lock on the file, making it if needed, and waits for whoever holds it. The lock ends with the process
// at the latest, so a killed run never leaves it behind.
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
