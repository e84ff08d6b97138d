package operand

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

// withFrozen is a file system with the current manifests and a copy of them as each of some versions.
func withFrozen(t *testing.T, versions ...string) fs.FS {
	t.Helper()
	files := fstest.MapFS{}
	for _, folder := range append(versions, currentFolder) {
		entries, err := fs.ReadDir(manifests, "manifests/current")
		if err != nil {
			t.Fatal(err)
		}
		for _, entry := range entries {
			text, err := fs.ReadFile(manifests, "manifests/current/"+entry.Name())
			if err != nil {
				t.Fatal(err)
			}
			files[path.Join(folder, entry.Name())] = &fstest.MapFile{Data: text}
		}
	}
	return files
}

func TestKnownVersions(t *testing.T) {
	catalogue, err := OpenCatalogue(withFrozen(t, "v0.10.0", "v0.9.0", "v0.11.0-rc.1"), "v0.11.0", testImages())
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"v0.9.0", "v0.10.0", "v0.11.0-rc.1", "v0.11.0"}
	if diff := cmp.Diff(want, catalogue.Known()); diff != "" {
		t.Errorf("known versions (-want +got):\n%s", diff)
	}
}

func TestKnown_DevelopmentVersionIsLast(t *testing.T) {
	catalogue, err := OpenCatalogue(withFrozen(t, "v0.9.0"), "dev", testImages())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"v0.9.0", "dev"}, catalogue.Known()); diff != "" {
		t.Errorf("known versions (-want +got):\n%s", diff)
	}
}

func TestAdd_AddsVersions(t *testing.T) {
	catalogue, err := OpenCatalogue(withFrozen(t, "v0.9.0"), "v0.10.0", testImages())
	if err != nil {
		t.Fatal(err)
	}
	// The kubelet mounts a ConfigMap like this: the version is a symbolic link into a hidden folder.
	folder := t.TempDir()
	hidden := filepath.Join(folder, "..2026_01_01", "v0.10.1-rc.1")
	if err := os.MkdirAll(hidden, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(hidden, must(fs.Sub(withFrozen(t), currentFolder))); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.Symlink("..2026_01_01", filepath.Join(folder, "..data")),
		os.Symlink(filepath.Join("..data", "v0.10.1-rc.1"), filepath.Join(folder, "v0.10.1-rc.1"))); err != nil {
		t.Fatal(err)
	}
	if err := catalogue.Add(os.DirFS(folder)); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"v0.9.0", "v0.10.0", "v0.10.1-rc.1"}, catalogue.Known()); diff != "" {
		t.Errorf("known versions (-want +got):\n%s", diff)
	}
	if _, err := catalogue.Release("v0.10.1-rc.1"); err != nil {
		t.Error(err)
	}
	for _, twice := range []string{"v0.9.0", "v0.10.0"} {
		err := catalogue.Add(fstest.MapFS{twice + "/controller.yaml": &fstest.MapFile{}})
		if err == nil || !strings.Contains(err.Error(), "already known") {
			t.Errorf("adding %s again = %v, want an error", twice, err)
		}
	}
}

func must(files fs.FS, err error) fs.FS {
	if err != nil {
		panic(err)
	}
	return files
}

func TestUnknownVersionError_ListsKnownVersions(t *testing.T) {
	catalogue, err := OpenCatalogue(withFrozen(t, "v0.9.0"), "v0.10.0", testImages())
	if err != nil {
		t.Fatal(err)
	}
	_, err = catalogue.Release("v7.0.0")
	var unknown *UnknownVersionError
	if !errors.As(err, &unknown) {
		t.Fatalf("Release(v7.0.0) = %v, want an UnknownVersionError", err)
	}
	want := "this operator cannot install version v7.0.0: choose one of v0.9.0, v0.10.0, or install an operator that supports it"
	if err.Error() != want {
		t.Errorf("error = %q, want %q", err, want)
	}
}

// A frozen version keeps its own images; the images of the operator are for the current version.
func TestRelease_HasImagesOfItsVersion(t *testing.T) {
	catalogue, err := OpenCatalogue(withFrozen(t, "v0.9.0"), "v0.10.0", testImages())
	if err != nil {
		t.Fatal(err)
	}
	frozen, err := catalogue.Release("v0.9.0")
	if err != nil {
		t.Fatal(err)
	}
	want := Images{Controller: "openservicemesh/osm-controller", Injector: "openservicemesh/osm-injector", Init: "openservicemesh/init", Sidecar: "openservicemesh/envoy"}
	if diff := cmp.Diff(want, frozen.Images); diff != "" {
		t.Errorf("images of the frozen version (-want +got):\n%s", diff)
	}
	current, err := catalogue.Release("v0.10.0")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(testImages(), current.Images); diff != "" {
		t.Errorf("images of the current version (-want +got):\n%s", diff)
	}
}

func TestFrozenCopyOfCurrentVersion_IsIgnored(t *testing.T) {
	catalogue, err := OpenCatalogue(withFrozen(t, "v0.10.0"), "v0.10.0", testImages())
	if err != nil {
		t.Fatal(err)
	}
	release, err := catalogue.Release("v0.10.0")
	if err != nil {
		t.Fatal(err)
	}
	if release.Images != testImages() {
		t.Errorf("images = %v, want those given to the operator", release.Images)
	}
	if diff := cmp.Diff([]string{"v0.10.0"}, catalogue.Known()); diff != "" {
		t.Errorf("known versions (-want +got):\n%s", diff)
	}
}
