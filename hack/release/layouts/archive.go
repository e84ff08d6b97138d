package layouts

import (
	"archive/tar"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Unpack unpacks an archive into a folder.
func Unpack(archive, folder string) error {
	file, err := os.Open(archive)
	if err != nil {
		return err
	}
	defer file.Close()
	root, err := os.OpenRoot(folder)
	if err != nil {
		return err
	}
	defer root.Close()
	for r := tar.NewReader(file); ; {
		header, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s is not a tar file: %w", archive, err)
		}
		if err := unpackFile(root, header, r); err != nil {
			return fmt.Errorf("cannot unpack %s from %s: %w", header.Name, archive, err)
		}
	}
}

func unpackFile(root *os.Root, header *tar.Header, content io.Reader) error {
	name := filepath.FromSlash(header.Name)
	if err := root.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	file, err := root.Create(name)
	if err != nil {
		return err
	}
	if _, err := io.Copy(file, content); err != nil {
		file.Close()
		return err
	}
	return file.Close()
}

// Pack replaces an archive by the files of a folder. Equal files give equal bytes. The files of a layout come before
// its blobs.
func Pack(folder, archive string) error {
	var names []string
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		name, err := filepath.Rel(folder, path)
		names = append(names, filepath.ToSlash(name))
		return err
	})
	if err != nil {
		return err
	}
	slices.SortFunc(names, func(a, b string) int {
		return cmp.Or(strings.Count(a, "/")-strings.Count(b, "/"), -strings.Compare(a, b))
	})
	partial := archive + ".partial"
	if err := writeArchive(partial, folder, names); err != nil {
		return errors.Join(fmt.Errorf("cannot pack %s: %w", archive, err), os.RemoveAll(partial))
	}
	return os.Rename(partial, archive)
}

func writeArchive(archive, folder string, names []string) error {
	file, err := os.Create(archive)
	if err != nil {
		return err
	}
	defer file.Close()
	w := tar.NewWriter(file)
	for _, name := range names {
		if err := addFile(w, folder, name); err != nil {
			return err
		}
	}
	return errors.Join(w.Close(), file.Close())
}

func addFile(w *tar.Writer, folder, name string) error {
	file, err := os.Open(filepath.Join(folder, filepath.FromSlash(name)))
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: info.Size(), ModTime: time.Unix(0, 0)}); err != nil {
		return err
	}
	_, err = io.Copy(w, file)
	return err
}
