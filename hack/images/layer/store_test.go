package layer

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/openservicemesh/osm-operator/hack/images/rootfs"
)

func tree(content string) func() (*rootfs.Tree, error) {
	return func() (*rootfs.Tree, error) {
		t := rootfs.New()
		t.File("/a", 0o644, []byte(content))
		return t, nil
	}
}

func failGather() (*rootfs.Tree, error) { return nil, errors.New("gather was called again") }

func digest(t *testing.T, l v1.Layer) v1.Hash {
	t.Helper()
	d, err := l.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestLayerIsGatheredOncePerKey(t *testing.T) {
	s := NewStore(t.TempDir())
	first, err := s.Layer("k", tree("x"))
	if err != nil {
		t.Fatal(err)
	}
	again, err := s.Layer("k", failGather)
	if err != nil {
		t.Fatal(err)
	}
	if digest(t, first) != digest(t, again) {
		t.Error("the same key gives two digests")
	}
	if _, err := s.Layer("other", failGather); err == nil {
		t.Error("another key gives the cached layer")
	}
	other, err := NewStore(t.TempDir()).Layer("k", tree("x"))
	if err != nil {
		t.Fatal(err)
	}
	if digest(t, first) != digest(t, other) {
		t.Error("the same files give another digest in another store")
	}
}

// TestLayerMetadataMatchesBytes compares the stored metadata with the bytes of the layer.
func TestLayerMetadataMatchesBytes(t *testing.T) {
	l, err := NewStore(t.TempDir()).Layer("k", tree("hello"))
	if err != nil {
		t.Fatal(err)
	}
	packed := readAll(t, l.Compressed)
	plain := readAll(t, l.Uncompressed)
	packedSum, size, err := v1.SHA256(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	plainSum, _, err := v1.SHA256(bytes.NewReader(plain))
	if err != nil {
		t.Fatal(err)
	}
	diffID, err := l.DiffID()
	if err != nil {
		t.Fatal(err)
	}
	metadataSize, err := l.Size()
	if err != nil {
		t.Fatal(err)
	}
	if digest(t, l) != packedSum || diffID != plainSum || metadataSize != size {
		t.Errorf("the metadata is %v, %v, %d; the bytes have %v, %v, %d", digest(t, l), diffID, metadataSize, packedSum, plainSum, size)
	}
}

func readAll(t *testing.T, open func() (io.ReadCloser, error)) []byte {
	t.Helper()
	rc, err := open()
	if err != nil {
		t.Fatal(err)
	}
	defer rc.Close()
	raw, err := io.ReadAll(rc)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestTruncatedLayerIsRebuilt(t *testing.T) {
	dir := t.TempDir()
	s := NewStore(dir)
	if _, err := s.Layer("k", tree("x")); err != nil {
		t.Fatal(err)
	}
	for _, pattern := range []string{"*.tar.gz", "*.json"} {
		files, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil || len(files) != 1 {
			t.Fatalf("the store contains %v (%v)", files, err)
		}
		if err := os.Truncate(files[0], 3); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Layer("k", failGather); err == nil {
			t.Errorf("a truncated %s is used as a layer", pattern)
		}
		if _, err := s.Layer("k", tree("x")); err != nil {
			t.Errorf("a truncated %s cannot be replaced: %v", pattern, err)
		}
	}
}
