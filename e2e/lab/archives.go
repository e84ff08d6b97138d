package lab

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"strings"
)

// readTar returns the regular files of an archive.
func readTar(content []byte) (map[string][]byte, error) {
	files := map[string][]byte{}
	for reader := tar.NewReader(bytes.NewReader(content)); ; {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return files, nil
		}
		if err != nil {
			return nil, err
		}
		if header.Typeflag != tar.TypeReg {
			continue
		}
		if files[strings.TrimPrefix(header.Name, "./")], err = io.ReadAll(reader); err != nil {
			return nil, err
		}
	}
}

// writeTar returns an archive of files.
func writeTar(files map[string][]byte) ([]byte, error) {
	var packed bytes.Buffer
	writer := tar.NewWriter(&packed)
	for name, content := range files {
		if err := writer.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(content))}); err != nil {
			return nil, err
		}
		if _, err := writer.Write(content); err != nil {
			return nil, err
		}
	}
	err := writer.Close()
	return packed.Bytes(), err
}

// changeFile changes one file of an archive.
func changeFile(archive []byte, name string, change func([]byte) ([]byte, error)) ([]byte, error) {
	var packed bytes.Buffer
	writer := tar.NewWriter(&packed)
	for reader := tar.NewReader(bytes.NewReader(archive)); ; {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			err = writer.Close()
			return packed.Bytes(), err
		}
		if err != nil {
			return nil, err
		}
		content, err := io.ReadAll(reader)
		if err == nil && strings.TrimPrefix(header.Name, "./") == name {
			content, err = change(content)
			header.Size = int64(len(content))
		}
		if err != nil {
			return nil, err
		}
		if err := writer.WriteHeader(header); err != nil {
			return nil, err
		}
		if _, err := writer.Write(content); err != nil {
			return nil, err
		}
	}
}

// unzip decompresses what gzip has compressed.
func unzip(packed []byte) ([]byte, error) {
	reader, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(reader)
}

// zip compresses with gzip.
func zip(content []byte) ([]byte, error) {
	var packed bytes.Buffer
	writer, err := gzip.NewWriterLevel(&packed, gzip.BestSpeed)
	if err != nil {
		return nil, err
	}
	_, err = writer.Write(content)
	err = errors.Join(err, writer.Close())
	return packed.Bytes(), err
}

// digest is what OCI images call content by.
func digest(content []byte) string {
	sum := sha256.Sum256(content)
	return "sha256:" + hex.EncodeToString(sum[:])
}
