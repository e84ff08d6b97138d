package layer

import (
	"compress/gzip"
	"io"
	"os"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// about is what the manifest of an image needs to know of a layer.
type about struct {
	Digest v1.Hash `json:"digest"`
	DiffID v1.Hash `json:"diffID"`
	Size   int64   `json:"size"`
}

// stored is a layer whose compressed bytes lie in a file.
type stored struct {
	file  string
	about about
}

// Digest returns the hash of the compressed bytes.
func (l *stored) Digest() (v1.Hash, error) { return l.about.Digest, nil }

// DiffID returns the hash of the uncompressed tar.
func (l *stored) DiffID() (v1.Hash, error) { return l.about.DiffID, nil }

// Size returns the number of compressed bytes.
func (l *stored) Size() (int64, error) { return l.about.Size, nil }

// MediaType returns the OCI type of a gzipped layer.
func (l *stored) MediaType() (types.MediaType, error) { return types.OCILayer, nil }

// Compressed opens the stored file.
func (l *stored) Compressed() (io.ReadCloser, error) { return os.Open(l.file) }

// Uncompressed opens the stored file and unpacks it while it is read.
func (l *stored) Uncompressed() (io.ReadCloser, error) {
	f, err := os.Open(l.file)
	if err != nil {
		return nil, err
	}
	zr, err := gzip.NewReader(f)
	if err != nil {
		f.Close()
		return nil, err
	}
	return &unpacked{Reader: zr, file: f}, nil
}

// unpacked closes both the decompressor and the file under it.
type unpacked struct {
	*gzip.Reader
	file *os.File
}

// Close closes the decompressor, then the file.
func (u *unpacked) Close() error {
	if err := u.Reader.Close(); err != nil {
		u.file.Close()
		return err
	}
	return u.file.Close()
}
