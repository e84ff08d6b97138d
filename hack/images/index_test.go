package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"debug/elf"
	"errors"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/openservicemesh/osm-operator/hack/images/layer"
	"github.com/openservicemesh/osm-operator/hack/images/lock"
)

// buildIndex builds the image for both platforms with a new cache and returns the output folder.
func buildIndex(t *testing.T, root string, img image) string {
	t.Helper()
	targets, err := parsePlatforms("linux/amd64,linux/arm64")
	if err != nil {
		t.Fatal(err)
	}
	cache, out := t.TempDir(), t.TempDir()
	b := &builder{root: root, cache: cache, out: out, version: "v9.9.9", layers: layer.NewStore(filepath.Join(cache, "layers")), targets: targets}
	if err := buildAll(context.Background(), b, []image{img}, io.Discard); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestIndexHasOneImagePerPlatform(t *testing.T) {
	root, img := newProject(t)
	out := buildIndex(t, root, img)
	files := untar(t, filepath.Join(out, "hello.tar"))
	var listed v1.IndexManifest
	decode(t, files["index.json"], &listed)
	if len(listed.Manifests) != 1 || listed.Manifests[0].MediaType != types.OCIImageIndex {
		t.Fatalf("the layout lists %+v, want one image index", listed.Manifests)
	}
	var index v1.IndexManifest
	decode(t, blob(t, files, listed.Manifests[0].Digest), &index)
	want := map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64}
	list, err := lock.Read(out)
	if err != nil {
		t.Fatal(err)
	}
	if list["hello"].Digest != listed.Manifests[0].Digest.String() {
		t.Errorf("the list has digest %s, the archive %s", list["hello"].Digest, listed.Manifests[0].Digest)
	}
	for _, manifest := range index.Manifests {
		architecture := manifest.Platform.Architecture
		if got := programOf(t, files, manifest.Digest, architecture).Machine; got != want[architecture] {
			t.Errorf("the program of %s is for %s", architecture, got)
		}
		if got := list["hello"].Platforms["linux/"+architecture]; got != manifest.Digest.String() {
			t.Errorf("the list has digest %q for %s, the index %s", got, architecture, manifest.Digest)
		}
		delete(want, architecture)
	}
	if len(want) > 0 {
		t.Errorf("the index lacks %v", want)
	}
}

// programOf checks the config of an image, and returns the program in its last layer.
func programOf(t *testing.T, files map[string][]byte, digest v1.Hash, architecture string) *elf.File {
	t.Helper()
	var manifest v1.Manifest
	decode(t, blob(t, files, digest), &manifest)
	var config v1.ConfigFile
	decode(t, blob(t, files, manifest.Config.Digest), &config)
	if config.OS != "linux" || config.Architecture != architecture || config.Config.User != "65532:65532" || !slices.Equal(config.Config.Entrypoint, []string{"/bin/hello"}) {
		t.Errorf("the image of %s is for %s/%s, with user %s and entrypoint %v", architecture, config.OS, config.Architecture, config.Config.User, config.Config.Entrypoint)
	}
	unzipped, err := gzip.NewReader(bytes.NewReader(blob(t, files, manifest.Layers[len(manifest.Layers)-1].Digest)))
	if err != nil {
		t.Fatal(err)
	}
	for r := tar.NewReader(unzipped); ; {
		header, err := r.Next()
		if errors.Is(err, io.EOF) {
			t.Fatalf("the last layer of %s has no program", architecture)
		}
		if err != nil {
			t.Fatal(err)
		}
		if header.Name != "bin/hello" {
			continue
		}
		content, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		program, err := elf.NewFile(bytes.NewReader(content))
		if err != nil {
			t.Fatal(err)
		}
		return program
	}
}

// blob returns a blob of a layout, and checks its digest.
func blob(t *testing.T, files map[string][]byte, digest v1.Hash) []byte {
	t.Helper()
	raw, exists := files["blobs/sha256/"+digest.Hex]
	if sum, _, err := v1.SHA256(bytes.NewReader(raw)); !exists || err != nil || sum != digest {
		t.Fatalf("the layout has no blob %s, or with another content (%v)", digest, err)
	}
	return raw
}

func TestSameInputGivesSameIndex(t *testing.T) {
	root, img := newProject(t)
	copied, _ := newProject(t)
	first, second := buildIndex(t, root, img), buildIndex(t, copied, img)
	for _, name := range []string{"hello.tar", lock.File} {
		if !bytes.Equal(readFile(t, filepath.Join(first, name)), readFile(t, filepath.Join(second, name))) {
			t.Errorf("%s differs between two builds of the same input", name)
		}
	}
}

func TestUnsupportedPlatformsAreRejected(t *testing.T) {
	for _, list := range []string{"", "linux/riscv64", "windows/amd64", "linux/amd64,"} {
		if _, err := parsePlatforms(list); err == nil || !strings.Contains(err.Error(), "linux/arm64") {
			t.Errorf("%q: the error is %v, want the supported platforms in it", list, err)
		}
	}
}
