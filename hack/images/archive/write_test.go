package archive

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// TestWriteStoresDuplicateLayerOnce prevents archives with duplicate blobs, which readers reject.
func TestWriteStoresDuplicateLayerOnce(t *testing.T) {
	l := static.NewLayer([]byte("layer"), types.OCILayer)
	img, err := Assemble([]v1.Layer{l, l}, Process{Entrypoint: []string{"/a"}, User: 7}, nil)
	if err != nil {
		t.Fatal(err)
	}
	content, err := Single(img)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := writeLayout(&out, Name{Repository: "docker.io/x/y", Tag: "v1"}, content); err != nil {
		t.Fatal(err)
	}
	seen := map[string]int{}
	tr := tar.NewReader(&out)
	for {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		seen[h.Name]++
	}
	if len(seen) != 5 {
		t.Errorf("the archive contains %v, want the layout, the index, a manifest, a config and one layer", seen)
	}
	for name, n := range seen {
		if n != 1 {
			t.Errorf("%s is in the archive %d times", name, n)
		}
	}
}
