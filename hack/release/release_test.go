package main

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/sigstore/sigstore/pkg/cryptoutils"
	"github.com/sigstore/sigstore/pkg/signature"
	"github.com/sigstore/sigstore/pkg/signature/dsse"

	"github.com/openservicemesh/osm-operator/hack/images/lock"
	"github.com/openservicemesh/osm-operator/hack/internal/repo"
	"github.com/openservicemesh/osm-operator/hack/release/signing"
)

var digest = "sha256:" + strings.Repeat("01", 32)

var images = lock.Images{"init": {Reference: "docker.io/openservicemesh/init:v1.2.3", Digest: digest}}

func TestImagesOfTheManifestAreReleased(t *testing.T) {
	manifest, err := os.ReadFile("../../dist/install.yaml")
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"envoy", "init", "osm-controller", "osm-injector", "osm-operator", "osm-traffic-metrics"}
	if got := lock.Names(manifest); !slices.Equal(got, want) {
		t.Errorf("images %v, want %v", got, want)
	}
}

func TestPackedFilesHaveDigests(t *testing.T) {
	tree := fstest.MapFS{"templates/a.yaml": {Data: []byte("openservicemesh/init:v1.2.3")}, "Chart.yaml": {Data: []byte("name: x")}}
	first, err := pack(tree, "chart", images, time.Unix(1, 0))
	if err != nil {
		t.Fatal(err)
	}
	second, err := pack(tree, "chart", images, time.Unix(1, 0))
	if err != nil || !bytes.Equal(first, second) {
		t.Errorf("two archives of the same files differ (%v)", err)
	}
	if _, err := pack(tree, "chart", lock.Images{}, time.Unix(1, 0)); err == nil || !strings.Contains(err.Error(), "templates/a.yaml") {
		t.Errorf("without the image, the error is %v", err)
	}
}

func TestVersionsAreBuiltFromTheirRecordedCommits(t *testing.T) {
	root := t.TempDir()
	if err := checkRecord(repo.Source{Root: root, Version: "v1.2.3", Commit: "b"}); err != nil {
		t.Errorf("a version that is not recorded: %v", err)
	}
	folder := filepath.Join(root, "internal", "operator", "operand", "manifests", "v1.2.3")
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "COMMIT"), []byte("a\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := checkRecord(repo.Source{Root: root, Version: "v1.2.3", Commit: "a"}); err != nil {
		t.Errorf("from the recorded commit: %v", err)
	}
	if err := checkRecord(repo.Source{Root: root, Version: "v1.2.3", Commit: "b"}); err == nil || !strings.Contains(err.Error(), "recorded from commit a") {
		t.Errorf("from another commit, the error is %v", err)
	}
}

func TestDefinitionsAreRecorded(t *testing.T) {
	root := t.TempDir()
	for _, name := range []string{"bases/a.yaml", "smi/b.yaml", "testdata/v1/c.yaml"} {
		file := filepath.Join(root, "config", "crd", filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(name), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := recordDefinitions(root, "v2"); err != nil {
		t.Fatal(err)
	}
	recorded, err := filepath.Glob(filepath.Join(root, "config", "crd", "testdata", "v2", "*"))
	if err != nil || len(recorded) != 2 || filepath.Base(recorded[0]) != "a.yaml" || filepath.Base(recorded[1]) != "b.yaml" {
		t.Errorf("recorded are %v (%v)", recorded, err)
	}
}

// newRelease returns a release with one file and a new key.
func newRelease(t *testing.T) *release {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := signing.Load(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), "")
	if err != nil {
		t.Fatal(err)
	}
	r := &release{
		Source: repo.Source{Version: "v1.2.3", Commit: strings.Repeat("a1", 20)}, folder: t.TempDir(), options: options{builder: "https://example.com/builder"},
		signer: &signer, images: images,
	}
	if err := r.write("sbom/a", []byte("abc")); err != nil {
		t.Fatal(err)
	}
	return r
}

// verifierOf returns a verifier with the public key of a release.
func verifierOf(t *testing.T, r *release) signature.Verifier {
	t.Helper()
	public, err := cryptoutils.UnmarshalPEMToPublicKey([]byte(read(t, r, "cosign.pub")))
	if err != nil {
		t.Fatal(err)
	}
	verifier, err := signature.LoadVerifier(public, crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	return verifier
}

func read(t *testing.T, r *release, name string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(r.folder, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

func TestSignedSumsCoverAllFiles(t *testing.T) {
	r := newRelease(t)
	for _, step := range []func(context.Context) error{r.writeProvenance, r.writeSums} {
		if err := step(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	sums := read(t, r, sumsFile)
	var names []string
	for line := range strings.Lines(sums) {
		names = append(names, strings.Fields(line)[1])
	}
	if diff := cmp.Diff([]string{envelopeFile, provenanceFile, "sbom/a"}, names); diff != "" {
		t.Errorf("files differ (-want +got):\n%s", diff)
	}
	if !strings.Contains(sums, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad  sbom/a\n") {
		t.Errorf("the sums are %s", sums)
	}
	signed, err := base64.StdEncoding.DecodeString(read(t, r, sumsFile+".sig"))
	if err != nil {
		t.Fatal(err)
	}
	verifier := verifierOf(t, r)
	if err := verifier.VerifySignature(bytes.NewReader(signed), strings.NewReader(sums)); err != nil {
		t.Error(err)
	}
	if verifier.VerifySignature(bytes.NewReader(signed), strings.NewReader("f"+sums[1:]+" ")) == nil {
		t.Error("changed sums are accepted")
	}
}

func TestProvenanceNamesFilesAndImages(t *testing.T) {
	r := newRelease(t)
	if err := r.writeProvenance(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := r.writeSums(t.Context()); err != nil {
		t.Fatal(err)
	}
	statement := read(t, r, provenanceFile)
	for _, want := range []string{`"sbom/a"`, `"docker.io/openservicemesh/init:v1.2.3"`, strings.TrimPrefix(digest, "sha256:"), r.Commit} {
		if !strings.Contains(statement, want) {
			t.Errorf("the provenance lacks %s: %s", want, statement)
		}
	}
	if err := dsse.WrapVerifier(verifierOf(t, r)).VerifySignature(strings.NewReader(read(t, r, envelopeFile)), nil); err != nil {
		t.Error(err)
	}
}

func TestNothingIsSignedWithoutAKey(t *testing.T) {
	r := newRelease(t)
	r.signer = nil
	for _, step := range []func(context.Context) error{r.attachSignatures, r.writeProvenance, r.writeSums} {
		if err := step(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if sums := read(t, r, sumsFile); !strings.Contains(sums, provenanceFile) {
		t.Errorf("the sums are %s", sums)
	}
	for _, name := range []string{envelopeFile, sumsFile + ".sig", "cosign.pub"} {
		if _, err := os.Stat(filepath.Join(r.folder, name)); !os.IsNotExist(err) {
			t.Errorf("%s exists (%v)", name, err)
		}
	}
}
