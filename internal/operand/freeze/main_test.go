package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const commit = "0123456789abcdef0123456789abcdef01234567"

// imageList writes a list of images as the image builder does.
func imageList(t *testing.T, names ...string) string {
	t.Helper()
	var entries []string
	for _, name := range names {
		entries = append(entries, `"`+name+`":{"reference":"registry.example/`+name+`:v0.1.0","digest":"sha256:`+strings.Repeat("ab", 32)+`","size":1}`)
	}
	path := filepath.Join(t.TempDir(), "images.lock")
	if err := os.WriteFile(path, []byte("{"+strings.Join(entries, ",")+"}"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestFreezeWritesManifestsOnce(t *testing.T) {
	out := t.TempDir()
	list := imageList(t, "osm-controller", "osm-injector", "init", "envoy", "osm-operator")
	folder, err := freeze("v0.1.0", commit, list, out)
	if err != nil {
		t.Fatal(err)
	}
	injector, err := os.ReadFile(filepath.Join(folder, "injector.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, image := range []string{"osm-injector", "init", "envoy"} {
		if want := "registry.example/" + image + ":v0.1.0@sha256:"; !strings.Contains(string(injector), want) {
			t.Errorf("injector.yaml does not name %s", want)
		}
	}
	recorded, err := os.ReadFile(filepath.Join(folder, "COMMIT"))
	if err != nil {
		t.Fatal(err)
	}
	if string(recorded) != commit+"\n" {
		t.Errorf("COMMIT = %q", recorded)
	}
	if _, err := freeze("v0.1.0", commit, list, out); err == nil || !strings.Contains(err.Error(), "never changes") {
		t.Errorf("a recorded version was written again: %v", err)
	}
}

func TestFreezeRefuses(t *testing.T) {
	whole := imageList(t, "osm-controller", "osm-injector", "init", "envoy")
	for name, test := range map[string]struct{ version, commit, list, want string }{
		"a word for a version":    {"latest", commit, whole, "not a version"},
		"a path for a version":    {"v0.1.0/../x", commit, whole, "not a version"},
		"a branch for a commit":   {"v0.1.0", "main", whole, "not a commit"},
		"an image that is absent": {"v0.1.0", commit, imageList(t, "osm-controller", "init", "envoy"), "injector"},
		"no list":                 {"v0.1.0", commit, filepath.Join(t.TempDir(), "none"), "build the images first"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := freeze(test.version, test.commit, test.list, t.TempDir()); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("freeze = %v, want an error that says %q", err, test.want)
			}
		})
	}
}
