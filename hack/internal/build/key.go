package build

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
)

// keyFormat is part of every key. Change it to rebuild all artifacts.
const keyFormat = "1"

// Key returns the hash of everything that determines the artifact: its inputs, the bytes and relative names of its
// sources, the Go toolchain and the platform.
func Key(a Artifact) (string, error) {
	h := sha256.New()
	for _, s := range append([]string{keyFormat, a.Name, runtime.Version(), runtime.GOOS, runtime.GOARCH}, a.Inputs...) {
		fmt.Fprintf(h, "%d:%s\n", len(s), s)
	}
	for _, source := range a.Sources {
		if err := hashTree(h, source); err != nil {
			return "", fmt.Errorf("cannot read the sources of %s: %w", a.Name, err)
		}
	}
	return hex.EncodeToString(h.Sum(nil))[:16], nil
}

func hashTree(w io.Writer, root string) error {
	return filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "%s %x\n", name, sha256.Sum256(content))
		return nil
	})
}
