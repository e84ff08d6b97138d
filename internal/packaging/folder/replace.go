package folder

import (
	"os"
	"path/filepath"
)

// Replace replaces a folder by one with exactly the given files, whose names use slashes.
func Replace(path string, files map[string][]byte) error {
	if err := os.RemoveAll(path); err != nil {
		return err
	}
	for name, content := range files {
		file := filepath.Join(path, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(file, content, 0o644); err != nil {
			return err
		}
	}
	return nil
}
