package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// file is a file in an archive.
type file struct {
	name    string
	content []byte
	// executable is true for programs.
	executable bool
}

func (f file) mode() int64 {
	if f.executable {
		return 0o755
	}
	return 0o644
}

// writeArchive writes an archive whose bytes depend only on its arguments.
func writeArchive(path string, at time.Time, files []file, pack func(io.Writer, time.Time, []file) error) error {
	var packed bytes.Buffer
	if err := pack(&packed, at, files); err != nil {
		return fmt.Errorf("%s: %w", filepath.Base(path), err)
	}
	return os.WriteFile(path, packed.Bytes(), 0o644)
}

// writeTarGz packs files for Linux and macOS.
func writeTarGz(w io.Writer, at time.Time, files []file) error {
	compressed, err := gzip.NewWriterLevel(w, gzip.BestCompression)
	if err != nil {
		return err
	}
	archive := tar.NewWriter(compressed)
	for _, f := range files {
		header := &tar.Header{Name: f.name, Mode: f.mode(), Size: int64(len(f.content)), ModTime: at, Format: tar.FormatPAX}
		if err := archive.WriteHeader(header); err != nil {
			return err
		}
		if _, err := archive.Write(f.content); err != nil {
			return err
		}
	}
	if err := archive.Close(); err != nil {
		return err
	}
	return compressed.Close()
}

// writeZip packs files for Windows.
func writeZip(w io.Writer, at time.Time, files []file) error {
	archive := zip.NewWriter(w)
	for _, f := range files {
		header := &zip.FileHeader{Name: f.name, Method: zip.Deflate, Modified: at}
		header.SetMode(os.FileMode(f.mode()))
		part, err := archive.CreateHeader(header)
		if err != nil {
			return err
		}
		if _, err := part.Write(f.content); err != nil {
			return err
		}
	}
	return archive.Close()
}

// writeSums writes the SHA-256 sums of archives in the format of sha256sum, and returns the file's path.
func (r release) writeSums(archives []string) (string, error) {
	var lines []string
	for _, archive := range archives {
		content, err := os.ReadFile(archive)
		if err != nil {
			return "", err
		}
		lines = append(lines, fmt.Sprintf("%x  %s\n", sha256.Sum256(content), filepath.Base(archive)))
	}
	// sorted by file name
	slices.SortFunc(lines, func(a, b string) int { return strings.Compare(a[2*sha256.Size:], b[2*sha256.Size:]) })
	path := filepath.Join(r.folder, fmt.Sprintf("osm-%s-checksums.txt", r.version))
	return path, os.WriteFile(path, []byte(strings.Join(lines, "")), 0o644)
}
