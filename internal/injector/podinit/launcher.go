package podinit

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// CopyLauncher copies the launcher of the slots out of the image of osm-init. A pod with one sidecar has no directory for it.
func CopyLauncher(program, dir string) error {
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	content, err := os.ReadFile(program)
	if err != nil {
		return fmt.Errorf("the launcher of the sidecar's slots cannot be read: %w", err)
	}
	const executableByAll = 0o755
	// A program that runs cannot be written, so it is replaced.
	path := filepath.Join(dir, names.LauncherFile)
	if err := os.WriteFile(path+".new", content, executableByAll); err != nil {
		return fmt.Errorf("the launcher of the sidecar's slots cannot be written: %w", err)
	}
	// The umask of the process may be stricter.
	return errors.Join(os.Chmod(path+".new", executableByAll), os.Rename(path+".new", path))
}
