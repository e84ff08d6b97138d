package main

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/openservicemesh/osm-operator/hack/images/layer"
	"github.com/openservicemesh/osm-operator/hack/images/lock"
)

// program prints the version it was linked with, from the package that the linker flag names.
const program = `package main

import "github.com/openservicemesh/osm-operator/internal/version"

func main() { println(version.Version) }
`

// project makes a repository with one program, and an image of it.
func project(t *testing.T) (string, image) {
	t.Helper()
	root := t.TempDir()
	files := map[string]string{
		"go.mod":                      "module github.com/openservicemesh/osm-operator\n\ngo 1.26.0\n",
		"VERSION":                     "v9.9.9\n",
		"internal/version/version.go": "package version\n\nvar Version = \"dev\"\n",
		"cmd/hello/main.go":           program,
	}
	for name, content := range files {
		file := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root, image{"hello", "./cmd/hello", "/bin/hello", userNonroot, scratch()}
}

// buildIn builds the image with a cache of its own and returns the output folder.
func buildIn(t *testing.T, root, version string, img image) string {
	t.Helper()
	cache, out := t.TempDir(), t.TempDir()
	b := &builder{root: root, cache: cache, out: out, version: version, layers: layer.NewStore(filepath.Join(cache, "layers"))}
	if err := buildAll(context.Background(), b, []image{img}, io.Discard); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestSameInputSameArchive(t *testing.T) {
	root, img := project(t)
	first := buildIn(t, root, "v9.9.9", img)
	// A copy of the repository elsewhere, with other file times, is the same input.
	elsewhere, _ := project(t)
	second := buildIn(t, elsewhere, "v9.9.9", img)
	for _, name := range []string{"hello.tar", lock.File} {
		a, b := readFile(t, filepath.Join(first, name)), readFile(t, filepath.Join(second, name))
		if !bytes.Equal(a, b) {
			t.Errorf("%s differs between two builds of the same input", name)
		}
	}
	other := buildIn(t, root, "v9.9.10", img)
	if bytes.Equal(readFile(t, filepath.Join(first, "hello.tar")), readFile(t, filepath.Join(other, "hello.tar"))) {
		t.Error("another version gives the same archive, so the version is not linked in")
	}
}

func TestArchiveIsAnImageThatContainerdCanName(t *testing.T) {
	root, img := project(t)
	out := buildIn(t, root, "v9.9.9", img)
	files := untar(t, filepath.Join(out, "hello.tar"))
	var index v1.IndexManifest
	decode(t, files["index.json"], &index)
	if len(index.Manifests) != 1 {
		t.Fatalf("the index names %d images, want 1", len(index.Manifests))
	}
	got := index.Manifests[0]
	if name := got.Annotations["io.containerd.image.name"]; name != "docker.io/openservicemesh/hello:v9.9.9" {
		t.Errorf("the image is named %q", name)
	}
	var manifest v1.Manifest
	decode(t, files["blobs/sha256/"+got.Digest.Hex], &manifest)
	for _, d := range append(manifest.Layers, manifest.Config) {
		raw := files["blobs/sha256/"+d.Digest.Hex]
		sum, size, err := v1.SHA256(bytes.NewReader(raw))
		if err != nil || sum != d.Digest || size != d.Size {
			t.Errorf("blob %s of %d bytes is %s of %d bytes (%v)", d.Digest, d.Size, sum, size, err)
		}
	}
	var config v1.ConfigFile
	decode(t, files["blobs/sha256/"+manifest.Config.Digest.Hex], &config)
	if config.Config.User != "65532:65532" || config.Config.Entrypoint[0] != "/bin/hello" || !config.Created.IsZero() {
		t.Errorf("the image runs %v as %s, created %s", config.Config.Entrypoint, config.Config.User, config.Created)
	}
	list, err := lock.Read(out)
	if err != nil {
		t.Fatal(err)
	}
	if list["hello"].Digest != got.Digest.String() {
		t.Errorf("the list says %s, the archive holds %s", list["hello"].Digest, got.Digest)
	}
}

func TestUnchangedImagesAreNotWrittenAgain(t *testing.T) {
	root, img := project(t)
	cache, out := t.TempDir(), t.TempDir()
	b := &builder{root: root, cache: cache, out: out, version: "v1", layers: layer.NewStore(filepath.Join(cache, "layers"))}
	file := filepath.Join(out, "hello.tar")
	long := time.Unix(1, 0)
	rebuild := func() bool {
		t.Helper()
		if err := buildAll(context.Background(), b, []image{img}, io.Discard); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(file)
		if err != nil {
			t.Fatal(err)
		}
		written := !info.ModTime().Equal(long)
		if err := os.Chtimes(file, long, long); err != nil {
			t.Fatal(err)
		}
		return written
	}
	if !rebuild() {
		t.Error("the first build wrote nothing")
	}
	if rebuild() {
		t.Error("an unchanged image was written again")
	}
	changed := strings.Replace(program, "println(", "println(1, ", 1)
	if err := os.WriteFile(filepath.Join(root, "cmd/hello/main.go"), []byte(changed), 0o644); err != nil {
		t.Fatal(err)
	}
	if !rebuild() {
		t.Error("a changed program did not change its image")
	}
}

func TestMissingMainPackageIsAnErrorOnlyWhenAskedFor(t *testing.T) {
	root, img := project(t)
	missing := image{"later", "./cmd/later", "/later", userNonroot, scratch()}
	all := []image{img, missing}
	there := func(i image) bool { return i.name == "hello" }
	chosen, err := choose(all, nil, there)
	if err != nil || len(chosen) != 1 || chosen[0].name != "hello" {
		t.Errorf("without names %v is chosen (%v), want hello alone", namesOf(chosen), err)
	}
	chosen, err = choose(all, []string{"later"}, there)
	if err != nil || len(chosen) != 1 {
		t.Fatalf("by name %v is chosen (%v), want later", namesOf(chosen), err)
	}
	b := &builder{root: root, cache: t.TempDir(), out: t.TempDir(), version: "v1"}
	err = buildAll(context.Background(), b, chosen, io.Discard)
	if err == nil || !strings.Contains(err.Error(), "./cmd/later") {
		t.Errorf("error is %v, want one that names the missing package", err)
	}
	if _, err := choose(all, []string{"nothing"}, there); err == nil || !strings.Contains(err.Error(), "hello, later") {
		t.Errorf("error is %v, want one that lists the images", err)
	}
}

func readFile(t *testing.T, name string) []byte {
	t.Helper()
	raw, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func decode(t *testing.T, raw []byte, into any) {
	t.Helper()
	if err := json.Unmarshal(raw, into); err != nil {
		t.Fatalf("%v in %q", err, raw)
	}
}

func untar(t *testing.T, file string) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	tr := tar.NewReader(bytes.NewReader(readFile(t, file)))
	for {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		if files[h.Name], err = io.ReadAll(tr); err != nil {
			t.Fatal(err)
		}
	}
}
