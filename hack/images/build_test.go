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

// program prints the version that the linker flag sets.
const program = `package main

import "github.com/openservicemesh/osm-operator/internal/platform/version"

func main() { println(version.Version) }
`

func amd64() []*target { return []*target{{architecture: "amd64"}} }

// newProject creates a repository with one program, and the image of the program.
func newProject(t *testing.T) (string, image) {
	t.Helper()
	root := t.TempDir()
	files := map[string]string{
		"go.mod":                               "module github.com/openservicemesh/osm-operator\n\ngo 1.26.0\n",
		"VERSION":                              "v9.9.9\n",
		"internal/platform/version/version.go": "package version\n\nvar Version = \"dev\"\n",
		"cmd/hello/main.go":                    program,
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

// buildImage builds the image with a new cache and returns the output folder.
func buildImage(t *testing.T, root, version string, img image) string {
	t.Helper()
	cache, out := t.TempDir(), t.TempDir()
	b := &builder{root: root, cache: cache, out: out, version: version, layers: layer.NewStore(filepath.Join(cache, "layers")), targets: amd64()}
	if err := buildAll(context.Background(), b, []image{img}, io.Discard); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestSameInputGivesSameArchive(t *testing.T) {
	root, img := newProject(t)
	first := buildImage(t, root, "v9.9.9", img)
	// A copy of the repository with other file times in another folder is the same input.
	copied, _ := newProject(t)
	second := buildImage(t, copied, "v9.9.9", img)
	for _, name := range []string{"hello.tar", lock.File} {
		a, b := readFile(t, filepath.Join(first, name)), readFile(t, filepath.Join(second, name))
		if !bytes.Equal(a, b) {
			t.Errorf("%s differs between two builds of the same input", name)
		}
	}
	other := buildImage(t, root, "v9.9.10", img)
	if bytes.Equal(readFile(t, filepath.Join(first, "hello.tar")), readFile(t, filepath.Join(other, "hello.tar"))) {
		t.Error("another version gives the same archive: the version is not linked into the program")
	}
}

func TestArchiveNamesImageForContainerd(t *testing.T) {
	root, img := newProject(t)
	out := buildImage(t, root, "v9.9.9", img)
	files := untar(t, filepath.Join(out, "hello.tar"))
	var index v1.IndexManifest
	decode(t, files["index.json"], &index)
	if len(index.Manifests) != 1 {
		t.Fatalf("the index lists %d images, want 1", len(index.Manifests))
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
		t.Errorf("entrypoint %v, user %s, created %s", config.Config.Entrypoint, config.Config.User, config.Created)
	}
	list, err := lock.Read(out)
	if err != nil {
		t.Fatal(err)
	}
	if list["hello"].Digest != got.Digest.String() {
		t.Errorf("the list has digest %s, the archive %s", list["hello"].Digest, got.Digest)
	}
}

func TestUnchangedImageIsNotRewritten(t *testing.T) {
	root, img := newProject(t)
	cache, out := t.TempDir(), t.TempDir()
	b := &builder{root: root, cache: cache, out: out, version: "v1", layers: layer.NewStore(filepath.Join(cache, "layers")), targets: amd64()}
	file := filepath.Join(out, "hello.tar")
	oldTime := time.Unix(1, 0)
	rebuild := func() bool {
		t.Helper()
		if err := buildAll(context.Background(), b, []image{img}, io.Discard); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(file)
		if err != nil {
			t.Fatal(err)
		}
		written := !info.ModTime().Equal(oldTime)
		if err := os.Chtimes(file, oldTime, oldTime); err != nil {
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

func TestMissingMainPackageFailsOnlyIfNamed(t *testing.T) {
	root, img := newProject(t)
	missing := image{"later", "./cmd/later", "/later", userNonroot, scratch()}
	all := []image{img, missing}
	buildable := func(i image) bool { return i.name == "hello" }
	selected, err := selectImages(all, nil, buildable)
	if err != nil || len(selected) != 1 || selected[0].name != "hello" {
		t.Errorf("without names %v is selected (%v), want only hello", namesOf(selected), err)
	}
	selected, err = selectImages(all, []string{"later"}, buildable)
	if err != nil || len(selected) != 1 {
		t.Fatalf("by name %v is selected (%v), want later", namesOf(selected), err)
	}
	b := &builder{root: root, cache: t.TempDir(), out: t.TempDir(), version: "v1", targets: amd64()}
	err = buildAll(context.Background(), b, selected, io.Discard)
	if err == nil || !strings.Contains(err.Error(), "./cmd/later") {
		t.Errorf("error is %v, want the missing package in it", err)
	}
	if _, err := selectImages(all, []string{"nothing"}, buildable); err == nil || !strings.Contains(err.Error(), "hello, later") {
		t.Errorf("error is %v, want the list of images in it", err)
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
