package recorded

import (
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/openservicemesh/osm-operator/hack/internal/progress"
)

const (
	hashA = "sha256:c1b55e1569fd2d635fc29c1b711017cd883a850279523eaf64a75b7562e5f17d"
	hashB = "sha256:0683a690f30a3d8665f3ca069a02b6f4112d775b9f56197b8f8e17eeb5c2c2ed"
)

// builder replaces the image builder. It writes the list and two archives; the digest of b differs from the recorded
// one.
const builder = `package main

import ("os"; "path/filepath")

func main() {
	out := os.Args[2]
	_ = os.MkdirAll(out, 0o755)
	for name, text := range map[string]string{
		"a.tar": "", "b.tar": "",
		"images.lock": ` + "`" + `{"a": {"digest": "` + hashA + `", "archive": "a.tar"}, "b": {"digest": "` + hashA + `", "archive": "b.tar"}}` + "`" + `,
	} {
		if err := os.WriteFile(filepath.Join(out, name), []byte(text), 0o644); err != nil { panic(err) }
	}
}
`

// newCheckout creates a checkout whose first commit has the builder, and whose manifests refer to that commit.
func newCheckout(t *testing.T) (root string) {
	t.Helper()
	root = t.TempDir()
	writeFile(t, root, "hack/go.mod", "module hack\n\ngo 1.26.0\n")
	writeFile(t, root, "hack/images/main.go", builder)
	git(t, root, "init", "-q")
	git(t, root, "add", ".")
	git(t, root, "-c", "user.name=t", "-c", "user.email=t@example.com", "commit", "-q", "-m", "builder")
	writeFile(t, root, manifests+"/v0.1.0/COMMIT", git(t, root, "rev-parse", "HEAD"))
	writeFile(t, root, manifests+"/v0.1.0/controller.yaml", "image: docker.io/openservicemesh/a:v0.1.0@"+hashA+
		"\nvalue: \"docker.io/openservicemesh/b:v0.1.0@"+hashB+"\"\n")
	// Later changes of the checkout must have no effect.
	writeFile(t, root, "hack/images/main.go", "package main\n\nfunc main() { panic(1) }\n")
	return root
}

func TestImagesAreBuiltOnceFromRecordedCommit(t *testing.T) {
	b := Builder{Root: newCheckout(t), Cache: t.TempDir(), Report: progress.New(io.Discard, time.Now)}
	images, err := b.Images(context.Background(), "v0.1.0")
	if err != nil {
		t.Fatal(err)
	}
	folder := filepath.Join(b.Cache, "versions", strings.TrimSpace(git(t, b.Root, "rev-parse", "HEAD")))
	want := []Image{
		{Archive: filepath.Join(folder, "a.tar"), Reference: "docker.io/openservicemesh/a:v0.1.0@" + hashA, Recorded: hashA, Built: hashA},
		{Archive: filepath.Join(folder, "b.tar"), Reference: "docker.io/openservicemesh/b:v0.1.0@" + hashB, Recorded: hashB, Built: hashA},
	}
	if diff := cmp.Diff(want, images); diff != "" {
		t.Fatal(diff)
	}
	if !images[0].IsReproduced() || images[1].IsReproduced() {
		t.Errorf("IsReproduced is %t for a and %t for b, want true and false", images[0].IsReproduced(), images[1].IsReproduced())
	}
	if list := git(t, b.Root, "worktree", "list"); strings.Count(list, "\n") != 1 {
		t.Errorf("a worktree remains:\n%s", list)
	}
	before := stat(t, images[0].Archive)
	if _, err := b.Images(context.Background(), "v0.1.0"); err != nil || !stat(t, images[0].Archive).Equal(before) {
		t.Errorf("the images were built again (%v)", err)
	}
}

func TestReleasedIndexIsComparedByPlatform(t *testing.T) {
	root := newCheckout(t)
	writeFile(t, root, manifests+"/v0.1.0/"+imagesFile, `{"a": {"digest": "`+hashA+`", "platforms": {"linux/amd64": "`+hashB+`", "linux/arm64": "`+hashA+`"}},
		"osm-operator": {"reference": "docker.io/openservicemesh/osm-operator:v0.1.0", "digest": "`+hashA+`", "platforms": {"linux/amd64": "`+hashB+`"}},
		"prometheus": {"reference": "docker.io/openservicemesh/prometheus:v0.1.0", "digest": "`+hashA+`"}}`)
	r, err := readRecord(root, "v0.1.0")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]string{"a": hashB, "b": hashB, "osm-operator": hashB}, r.digests); diff != "" {
		t.Error(diff)
	}
	if got, want := r.references["osm-operator"], "docker.io/openservicemesh/osm-operator:v0.1.0@"+hashA; got != want {
		t.Errorf("the reference of the operator is %q, want %q", got, want)
	}
	if got, want := r.references["a"], "docker.io/openservicemesh/a:v0.1.0@"+hashA; got != want {
		t.Errorf("the reference of a is %q, want %q", got, want)
	}
}

func TestVersionsExcludesCurrentVersion(t *testing.T) {
	root := t.TempDir()
	writeFile(t, root, "VERSION", "v0.11.0\n")
	for _, file := range []string{"v0.9.0/COMMIT", "v0.10.0/COMMIT", "v0.11.0/COMMIT", "current/controller.yaml"} {
		writeFile(t, root, manifests+"/"+file, "")
	}
	got, err := Versions(root)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"v0.9.0", "v0.10.0"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestUnknownVersionAndCommitAreReported(t *testing.T) {
	b := Builder{Root: newCheckout(t), Cache: t.TempDir(), Report: progress.New(io.Discard, time.Now)}
	if _, err := b.Images(context.Background(), "v9.9.9"); err == nil || !strings.Contains(err.Error(), "is not recorded") {
		t.Errorf("error %v, want \"is not recorded\"", err)
	}
	writeFile(t, b.Root, manifests+"/v0.1.0/COMMIT", strings.Repeat("0", 40))
	if _, err := b.Images(context.Background(), "v0.1.0"); err == nil || !strings.Contains(err.Error(), "--unshallow") {
		t.Errorf("error %v, want the command that fetches the commit", err)
	}
}

func writeFile(t *testing.T, root, name, content string) {
	t.Helper()
	file := filepath.Join(root, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func git(t *testing.T, root string, arguments ...string) string {
	t.Helper()
	command := exec.Command("git", arguments...)
	command.Dir = root
	out, err := command.CombinedOutput()
	if err != nil {
		t.Fatalf("git %v: %v: %s", arguments, err, out)
	}
	return string(out)
}

func stat(t *testing.T, file string) time.Time {
	t.Helper()
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	return info.ModTime()
}

func TestFilesOfReleasedVersionHaveDigests(t *testing.T) {
	root := newCheckout(t)
	writeFile(t, root, "go.mod", "module product\n\ngo 1.26.0\n")
	writeFile(t, root, "internal/packaging/bundle/generate/main.go", `package main

import ("os"; "path/filepath")

func main() {
	images, err := os.ReadFile(os.Args[2])
	if err != nil { panic(err) }
	if err := os.MkdirAll(os.Args[3], 0o755); err != nil { panic(err) }
	if err := os.WriteFile(filepath.Join(os.Args[3], "csv.yaml"), images, 0o644); err != nil { panic(err) }
}
`)
	writeFile(t, root, "dist/install.yaml", "image: openservicemesh/a:v0.2.0\n")
	writeFile(t, root, "dist/chart/templates/a.yaml", "image: openservicemesh/a:v0.2.0\n")
	git(t, root, "add", "go.mod", "internal/packaging/bundle", "dist")
	git(t, root, "-c", "user.name=t", "-c", "user.email=t@example.com", "commit", "-q", "-m", "files")
	writeFile(t, root, manifests+"/v0.2.0/COMMIT", git(t, root, "rev-parse", "HEAD"))
	writeFile(t, root, manifests+"/v0.2.0/a.yaml", "image: docker.io/openservicemesh/a:v0.2.0@"+hashA)
	b := Builder{Root: root, Cache: t.TempDir(), Report: progress.New(io.Discard, time.Now)}
	if err := b.WriteFiles(t.Context(), "v0.2.0", t.TempDir()); err == nil || !strings.Contains(err.Error(), "without its images") {
		t.Errorf("without a list of images the error is %v", err)
	}
	list := `{"a": {"reference": "docker.io/openservicemesh/a:v0.2.0", "digest": "` + hashA + `"}}`
	writeFile(t, root, manifests+"/v0.2.0/"+imagesFile, list)
	folder := t.TempDir()
	if err := b.WriteFiles(t.Context(), "v0.2.0", folder); err != nil {
		t.Fatal(err)
	}
	pinned := "image: openservicemesh/a:v0.2.0@" + hashA + "\n"
	for name, want := range map[string]string{"install.yaml": pinned, "chart/templates/a.yaml": pinned, "bundle/csv.yaml": list} {
		content, err := os.ReadFile(filepath.Join(folder, filepath.FromSlash(name)))
		if err != nil || string(content) != want {
			t.Errorf("%s contains %q (%v), want %q", name, content, err, want)
		}
	}
}
