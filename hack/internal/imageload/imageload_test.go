package imageload

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const digest = "sha256:2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"

const index = `{"schemaVersion":2,"manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","size":3,"digest":"` + digest +
	`","annotations":{"io.containerd.image.name":"openservicemesh/init:v1","org.opencontainers.image.ref.name":"v1"}}]}`

func TestRewriteChangesOnlyNames(t *testing.T) {
	file := writeTar(t, map[string]string{"oci-layout": "{}", "./index.json": index, "blobs/sha256/2c": "foo"})
	images, err := readIndex(file)
	if err != nil {
		t.Fatal(err)
	}
	const tagged, canonical = "docker.io/openservicemesh/init:v1", "docker.io/openservicemesh/init@" + digest
	if len(images) != 1 || images[0].tagged != tagged || images[0].canonical != canonical {
		t.Fatalf("images = %+v", images)
	}
	rendered, err := renderIndex(images)
	if err != nil {
		t.Fatal(err)
	}
	in, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	var out bytes.Buffer
	if err := rewrite(&out, in, rendered); err != nil {
		t.Fatal(err)
	}
	got := readTar(t, &out)
	if got["blobs/sha256/2c"] != "foo" || got["oci-layout"] != "{}" {
		t.Errorf("entries changed: %v", got)
	}
	for _, name := range []string{tagged, canonical} {
		if !strings.Contains(got["./index.json"], `"io.containerd.image.name":"`+name+`"`) {
			t.Errorf("%s is not in %s", name, got["./index.json"])
		}
	}
}

func TestSignaturesAreNotLoaded(t *testing.T) {
	signature := `,{"mediaType":"application/vnd.oci.image.manifest.v1+json","size":3,"digest":"` + digest + `","annotations":{"kind":"dev.cosignproject.cosign/sigs"}}]}`
	images, err := readIndex(writeTar(t, map[string]string{"index.json": strings.TrimSuffix(index, "]}") + signature}))
	if err != nil || len(images) != 1 {
		t.Errorf("images = %+v (%v), want only the signed one", images, err)
	}
}

func TestAddReferencesAddsOtherDigest(t *testing.T) {
	images, err := readIndex(writeTar(t, map[string]string{"index.json": index}))
	if err != nil {
		t.Fatal(err)
	}
	const init, other = "docker.io/openservicemesh/init", "sha256:0683a690f30a3d8665f3ca069a02b6f4112d775b9f56197b8f8e17eeb5c2c2ed"
	images, err = addReferences(images, []string{init + ":v1@" + digest, init + ":v1@" + other})
	if err != nil || len(images) != 2 {
		t.Fatalf("images = %+v (%v), want the image under two names", images, err)
	}
	if images[1].canonical != init+"@"+other || images[1].descriptor.Digest.String() != digest {
		t.Errorf("the second name is %s for %s", images[1].canonical, images[1].descriptor.Digest)
	}
	for _, wrong := range []string{"UPPER CASE", ""} {
		if _, err := addReferences(images[:1], []string{wrong}); err == nil || !strings.Contains(err.Error(), "not a reference") {
			t.Errorf("error %v for %q, want \"not a reference\"", err, wrong)
		}
	}
	if _, err := addReferences(images, []string{init + ":v2"}); err == nil || !strings.Contains(err.Error(), "2 images") {
		t.Errorf("error %v, want \"2 images\"", err)
	}
}

func TestInvalidArchiveIsRejected(t *testing.T) {
	tests := map[string]struct {
		files map[string]string
		want  string
	}{
		"docker archive": {map[string]string{"manifest.json": "[]"}, "not an OCI image archive"},
		"no name":        {map[string]string{"index.json": strings.ReplaceAll(index, "annotations", "x")}, "not a reference"},
		"no image":       {map[string]string{"index.json": `{"manifests":[]}`}, "lists no image"},
		"damaged":        {map[string]string{"index.json": `{`}, "cannot be read"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if _, err := readIndex(writeTar(t, tt.files)); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want one with %q", err, tt.want)
			}
		})
	}
}

func TestParseList(t *testing.T) {
	const table = "REF TYPE DIGEST SIZE PLATFORMS LABELS\n" +
		"docker.io/a/b:1 application/vnd.oci.image.manifest.v1+json " + digest + " 1.0 MiB linux/amd64 io.cri-containerd.image=managed\n"
	if diff := cmp.Diff(Inventory{"docker.io/a/b:1": digest}, parseList(table)); diff != "" {
		t.Error(diff)
	}
}

func writeTar(t *testing.T, files map[string]string) string {
	t.Helper()
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	for name, content := range files {
		if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(content))}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(content)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "image.tar")
	if err := os.WriteFile(file, buf.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}

func readTar(t *testing.T, r io.Reader) map[string]string {
	t.Helper()
	files := map[string]string{}
	for tr := tar.NewReader(r); ; {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(tr)
		if err != nil {
			t.Fatal(err)
		}
		files[h.Name] = string(content)
	}
}
