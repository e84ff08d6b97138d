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

	"github.com/openservicemesh/osm-operator/hack/images/rootfs"
)

// write compresses a tree into base.tar.gz and describes it in base.json. Both files are written atomically, base.json
// last, so interrupted and concurrent runs leave no partial layer.
func write(base string, tree *rootfs.Tree) error {
	tmp, err := os.CreateTemp(filepath.Dir(base), "writing-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(tmp.Name()) }() // Fails after the rename, when the file no longer exists.
	desc, err := compress(tmp, tree)
	if closeErr := tmp.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return err
	}
	if err := os.Rename(tmp.Name(), base+".tar.gz"); err != nil {
		return err
	}
	raw, err := json.Marshal(desc)
	if err != nil {
		return err
	}
	return writeFileAtomically(base+".json", raw)
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

// writeFileAtomically writes a file atomically.
func writeFileAtomically(name string, raw []byte) error {
	tmp, err := os.CreateTemp(filepath.Dir(name), "writing-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(tmp.Name()) }() // Fails after the rename, when the file no longer exists.
	if _, err := tmp.Write(raw); err != nil {
		tmp.Close()
		return err
	}
	if err := tmp.Close(); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), name)
}
