package lock

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestListRoundTrip(t *testing.T) {
	dir := t.TempDir()
	empty, err := Read(dir)
	if err != nil || len(empty) != 0 {
		t.Fatalf("a folder without a list gives %v, %v; want nothing", empty, err)
	}
	want := Images{"init": {
		Reference: "docker.io/openservicemesh/init:v0.1.0", Digest: "sha256:1", Archive: "init.tar", Size: 7,
		Sources: []Source{{Name: "deb:libc6", Version: "2", SHA256: "3"}},
	}}
	if err := Write(dir, want); err != nil {
		t.Fatal(err)
	}
	got, err := Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("list differs (-want +got):\n%s", diff)
	}
}

func TestDamagedListErrorContainsRemedy(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, File), []byte("{"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(dir); err == nil || !strings.Contains(err.Error(), "build the images again") {
		t.Errorf("error is %v, want the remedy in it", err)
	}
}
