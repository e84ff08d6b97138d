package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const commit = "0123456789abcdef0123456789abcdef01234567"

// imageList writes an image list in the format of the image builder.
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

func TestFreezeRejectsInvalidInput(t *testing.T) {
	whole := imageList(t, "osm-controller", "osm-injector", "init", "envoy")
	for name, test := range map[string]struct{ version, commit, list, want string }{
		"invalid version":     {"latest", commit, whole, "not a version"},
		"version with a path": {"v0.1.0/../x", commit, whole, "not a version"},
		"invalid commit":      {"v0.1.0", "main", whole, "not a commit"},
		"missing image":       {"v0.1.0", commit, imageList(t, "osm-controller", "init", "envoy"), "injector"},
		"missing image list":  {"v0.1.0", commit, filepath.Join(t.TempDir(), "none"), "build the images first"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := freeze(test.version, test.commit, test.list, t.TempDir()); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("freeze = %v, want an error that contains %q", err, test.want)
			}
		})
	}
}
