package layouts

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/openservicemesh/osm-operator/hack/images/archive"
	"github.com/openservicemesh/osm-operator/hack/images/layer"
	"github.com/openservicemesh/osm-operator/hack/images/rootfs"
)

// newArchive writes an archive with an image index of two platforms and returns its path.
func newArchive(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	store := layer.NewStore(filepath.Join(folder, "layers"))
	var images []v1.Image
	for _, architecture := range []string{"amd64", "arm64"} {
		content, err := store.Layer(architecture, func() (*rootfs.Tree, error) {
			tree := rootfs.New()
			tree.File("/bin/hello", 0o755, []byte("program of "+architecture))
			return tree, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		process := archive.Process{Entrypoint: []string{"/bin/hello"}, User: 65532, Architecture: architecture}
		img, err := archive.Assemble([]v1.Layer{content}, process, nil)
		if err != nil {
			t.Fatal(err)
		}
		images = append(images, img)
	}
	index, err := archive.Index(images)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(folder, "hello.tar")
	if err := archive.Write(path, archive.Name{Repository: "docker.io/x/hello", Tag: "v1"}, index); err != nil {
		t.Fatal(err)
	}
	return path
}

// unpacked returns the folder and the layout of an archive.
func unpacked(t *testing.T, archive string) (string, Layout) {
	t.Helper()
	folder := t.TempDir()
	if err := Unpack(archive, folder); err != nil {
		t.Fatal(err)
	}
	l, err := Open(folder)
	if err != nil {
		t.Fatal(err)
	}
	return folder, l
}

func TestImagesHaveTheirPrograms(t *testing.T) {
	_, l := unpacked(t, newArchive(t))
	images, err := l.Images()
	if err != nil || len(images) != 2 {
		t.Fatalf("%v (%v)", images, err)
	}
	for i, architecture := range []string{"amd64", "arm64"} {
		got := images[i]
		if got.Platform != "linux/"+architecture || string(got.Program) != "program of "+architecture || got.Config.User != "65532:65532" {
			t.Errorf("image %d is for %s, with program %q and user %s", i, got.Platform, got.Program, got.Config.User)
		}
	}
}

func TestAttachedImagesAreListedAsCosignSavesThem(t *testing.T) {
	path := newArchive(t)
	folder, l := unpacked(t, path)
	var attached []v1.Image
	for _, content := range []string{"signature", "provenance"} {
		img, err := archive.Assemble(nil, archive.Process{}, map[string]string{"is": content})
		if err != nil {
			t.Fatal(err)
		}
		attached = append(attached, img)
	}
	if err := l.Attach(attached[0], attached[1]); err != nil {
		t.Fatal(err)
	}
	if err := Pack(folder, path); err != nil {
		t.Fatal(err)
	}
	again, read := unpacked(t, path)
	if images, err := read.Images(); err != nil || len(images) != 2 || read.Digest != l.Digest {
		t.Errorf("the archive with a signature has index %s with %d images (%v)", read.Digest, len(images), err)
	}
	raw, err := os.ReadFile(filepath.Join(again, "index.json"))
	if err != nil {
		t.Fatal(err)
	}
	var index v1.IndexManifest
	if err := json.Unmarshal(raw, &index); err != nil {
		t.Fatal(err)
	}
	var got []map[string]string
	for _, listed := range index.Manifests {
		got = append(got, listed.Annotations)
	}
	const name, kind = "org.opencontainers.image.ref.name", "kind"
	want := []map[string]string{
		{"io.containerd.image.name": "docker.io/x/hello:v1", name: "v1", kind: kindIndex},
		{name: "sha256-" + l.Digest.Hex + ".sig", kind: kindSignatures},
		{name: "sha256-" + l.Digest.Hex + ".att", kind: kindAttestations},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("annotations differ (-want +got):\n%s", diff)
	}
}

func TestSameFilesGiveSameArchive(t *testing.T) {
	path := newArchive(t)
	var packed [][]byte
	for range 2 {
		folder, _ := unpacked(t, path)
		if err := Pack(folder, path); err != nil {
			t.Fatal(err)
		}
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		packed = append(packed, content)
	}
	if !bytes.Equal(packed[0], packed[1]) {
		t.Error("two archives of the same files differ")
	}
	if !strings.HasPrefix(string(packed[0]), "oci-layout") {
		t.Error("the archive does not begin with the file oci-layout")
	}
}
