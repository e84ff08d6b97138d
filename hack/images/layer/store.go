package layer

import (
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/openservicemesh/osm-operator/hack/images/rootfs"
	"github.com/openservicemesh/osm-operator/hack/internal/files"
)

// format is part of every key. Change it together with the layer format, so that layers of the old format are not
// reused.
const format = "layer/1"

// Store is a folder of finished layers.
type Store struct {
	dir string
}

// NewStore returns a store in the given folder, which is created with the first layer.
func NewStore(dir string) *Store {
	return &Store{dir: dir}
}

// Layer returns the layer for key, and calls gather for its files only if the store does not have it. The key must
// include everything the files depend on: versions, hashes, the list of paths.
func (s *Store) Layer(key string, gather func() (*rootfs.Tree, error)) (v1.Layer, error) {
	sum := sha256.Sum256([]byte(format + "\n" + key))
	base := filepath.Join(s.dir, hex.EncodeToString(sum[:]))
	if l, err := open(base); err == nil {
		return partial.CompressedToLayer(l)
	}
	tree, err := gather()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(s.dir, 0o755); err != nil {
		return nil, fmt.Errorf("cannot create the layer cache: %w", err)
	}
	if err := write(base, tree); err != nil {
		return nil, err
	}
	l, err := open(base)
	if err != nil {
		return nil, err
	}
	return partial.CompressedToLayer(l)
}

// open reads the metadata of a stored layer and checks the size of its file.
func open(base string) (*stored, error) {
	raw, err := os.ReadFile(base + ".json")
	if err != nil {
		return nil, err
	}
	l := &stored{file: base + ".tar.gz"}
	if err := json.Unmarshal(raw, &l.metadata); err != nil {
		return nil, err
	}
	info, err := os.Stat(l.file)
	if err != nil {
		return nil, err
	}
	if info.Size() != l.metadata.Size {
		return nil, fmt.Errorf("%s has %d bytes, want %d", l.file, info.Size(), l.metadata.Size)
	}
	return l, nil
}

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

// write compresses a tree into base.tar.gz and describes it in base.json. Both files are written atomically, base.json
// last, so interrupted and concurrent runs leave no partial layer.
func write(base string, tree *rootfs.Tree) error {
	var described metadata
	err := files.Write(base+".tar.gz", 0o600, func(w io.Writer) (err error) {
		described, err = compress(w, tree)
		return err
	})
	if err != nil {
		return err
	}
	return files.Write(base+".json", 0o600, func(w io.Writer) error { return json.NewEncoder(w).Encode(described) })
}

// compress writes the tree as a tar with the fastest gzip level. Layers are imported on the same machine, where time to
// compress costs more than bytes.
func compress(w io.Writer, tree *rootfs.Tree) (metadata, error) {
	packed, plain := sha256.New(), sha256.New()
	size := &counter{}
	zw, err := gzip.NewWriterLevel(io.MultiWriter(w, packed, size), gzip.BestSpeed)
	if err != nil {
		return metadata{}, err
	}
	if err := tree.WriteTar(io.MultiWriter(zw, plain)); err != nil {
		return metadata{}, err
	}
	if err := zw.Close(); err != nil {
		return metadata{}, fmt.Errorf("cannot finish the compressed layer: %w", err)
	}
	return metadata{Digest: sum(packed), DiffID: sum(plain), Size: size.n}, nil
}

func sum(h hash.Hash) v1.Hash {
	return v1.Hash{Algorithm: "sha256", Hex: hex.EncodeToString(h.Sum(nil))}
}

// counter counts the bytes written to it.
type counter struct{ n int64 }

// Write adds the length of p and discards the bytes.
func (c *counter) Write(p []byte) (int, error) {
	c.n += int64(len(p))
	return len(p), nil
}
