package archive

import (
	"archive/tar"
	"bytes"
	"io"
	"time"
)

// addBytes adds a file from memory.
func addBytes(tw *tar.Writer, name string, content []byte) error {
	return add(tw, name, int64(len(content)), bytes.NewReader(content))
}

// add copies one file into the archive. Its time is the Unix epoch, so that equal images give equal archives.
func add(tw *tar.Writer, name string, size int64, r io.Reader) error {
	h := &tar.Header{Name: name, Mode: 0o644, Size: size, ModTime: time.Unix(0, 0), Typeflag: tar.TypeReg}
	if err := tw.WriteHeader(h); err != nil {
		return err
	}
	_, err := io.Copy(tw, r)
	return err
}
