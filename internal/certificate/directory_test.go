package certificate

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// mount writes a root as the kubelet does: it creates a directory and then replaces the symlink ..data.
func mount(t *testing.T, dir, version string, cert, key []byte) {
	t.Helper()
	data := filepath.Join(dir, version)
	for _, err := range []error{
		os.Mkdir(data, 0o755),
		os.WriteFile(filepath.Join(data, TrustKey), cert, 0o600),
		os.WriteFile(filepath.Join(data, SignerKey), key, 0o600),
		os.Symlink(version, filepath.Join(dir, "..tmp")),
		os.Rename(filepath.Join(dir, "..tmp"), filepath.Join(dir, "..data")),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestDirectory_ReportsEachNewRootOnce(t *testing.T) {
	dir := t.TempDir()
	first, second := newRoot(t, KeySpec{}), newRoot(t, KeySpec{})
	firstKey, _ := first.KeyPEM()
	secondKey, _ := second.KeyPEM()
	mount(t, dir, "1", first.CertPEM(), firstKey)
	d := OpenDirectory(dir, time.Now)
	if root, err := d.Load(); err != nil || root.Generation() != first.Generation() {
		t.Fatalf("first root is not loaded: %v", err)
	}
	roots, failures := make(chan string, 10), make(chan error, 10)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go d.Watch(ctx, time.Millisecond, func(r *Root) { roots <- r.Generation() }, func(err error) { failures <- err })

	mount(t, dir, "2", second.CertPEM(), firstKey)
	if err := <-failures; !strings.Contains(err.Error(), "does not belong") {
		t.Errorf("error is %v, want one about the key", err)
	}
	mount(t, dir, "3", second.CertPEM(), secondKey)
	if got := <-roots; got != second.Generation() {
		t.Errorf("generation is %s, want %s", got, second.Generation())
	}
	if len(roots) != 0 || len(failures) != 0 {
		t.Error("a root or a failure was reported twice")
	}
}

func TestDirectory_LoadFailsWithoutSecret(t *testing.T) {
	if _, err := OpenDirectory(t.TempDir(), time.Now).Load(); err == nil || !strings.Contains(err.Error(), "is the CA Secret mounted at") {
		t.Errorf("error is %v, want one that names the directory", err)
	}
}
