package layer

import (
	"compress/gzip"
	"io"
	"os"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// metadata describes a layer as the manifest of an image needs it.
type metadata struct {
	Digest v1.Hash `json:"digest"`
	DiffID v1.Hash `json:"diffID"`
	Size   int64   `json:"size"`
}

// stored is a layer whose compressed bytes are in a file.
type stored struct {
	file     string
	metadata metadata
}

// Digest returns the hash of the compressed bytes.
func (l *stored) Digest() (v1.Hash, error) { return l.metadata.Digest, nil }

// DiffID returns the hash of the uncompressed tar.
func (l *stored) DiffID() (v1.Hash, error) { return l.metadata.DiffID, nil }

// Size returns the number of compressed bytes.
func (l *stored) Size() (int64, error) { return l.metadata.Size, nil }

// MediaType returns the OCI type of a gzipped layer.
func (l *stored) MediaType() (types.MediaType, error) { return types.OCILayer, nil }

// Compressed opens the stored file.
func (l *stored) Compressed() (io.ReadCloser, error) { return os.Open(l.file) }

// Uncompressed opens the stored file and decompresses it while reading.
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
	return &decompressedFile{Reader: zr, file: f}, nil
}

// decompressedFile closes both the decompressor and the underlying file.
type decompressedFile struct {
	*gzip.Reader
	file *os.File
}

// Close closes the decompressor, then the file.
func (u *decompressedFile) Close() error {
	if err := u.Reader.Close(); err != nil {
		u.file.Close()
		return err
	}
	return u.file.Close()
}
