package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/openservicemesh/osm-operator/hack/internal/paths"
)

// cacheFolder returns the folder of cached downloads, layers and programs, which is that of the other tools.
func cacheFolder() (string, error) { return paths.FindCache(os.Getenv) }

// versionOrDefault returns the desired version, or the content of the file VERSION if it is empty.
func versionOrDefault(root, desired string) (string, error) {
	if desired != "" {
		return desired, nil
	}
	raw, err := os.ReadFile(filepath.Join(root, "VERSION"))
	if err != nil {
		return "", fmt.Errorf("no version was given and the file VERSION cannot be read: %w", err)
	}
	return strings.TrimSpace(string(raw)), nil
}

// withLock runs f while holding the lock of the cache folder: concurrent runs share the folder of compiled programs.
func withLock(cache string, f func() error) error {
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return fmt.Errorf("cannot create the cache folder: %w", err)
	}
	file, err := os.OpenFile(filepath.Join(cache, "images.flock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return err
	}
	defer file.Close()
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX); err != nil {
		return fmt.Errorf("cannot lock the cache folder: %w", err)
	}
	return f()
}
