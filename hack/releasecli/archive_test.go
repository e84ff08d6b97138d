package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var (
	commit = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	sample = []file{{name: "LICENSE", content: []byte("free")}, {name: "osm", content: []byte("program"), executable: true}}
)

// Names, modes and times are as given, and packing twice gives the same bytes.
func TestArchivesAreReproducible(t *testing.T) {
	for name, pack := range map[string]func(io.Writer, time.Time, []file) error{"tar": writeTarGz, "zip": writeZip} {
		var first, second bytes.Buffer
		for _, w := range []*bytes.Buffer{&first, &second} {
			if err := pack(w, commit, sample); err != nil {
				t.Fatal(err)
			}
		}
		if !bytes.Equal(first.Bytes(), second.Bytes()) {
			t.Errorf("%s: two archives of the same files differ", name)
		}
	}
}

func TestTar(t *testing.T) {
	var packed bytes.Buffer
	if err := writeTarGz(&packed, commit, sample); err != nil {
		t.Fatal(err)
	}
	unzipped, err := gzip.NewReader(&packed)
	if err != nil {
		t.Fatal(err)
	}
	archive := tar.NewReader(unzipped)
	for _, want := range sample {
		header, err := archive.Next()
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(archive)
		if err != nil || header.Name != want.name || string(content) != string(want.content) || header.Mode != want.mode() || !header.ModTime.Equal(commit) {
			t.Errorf("%s is %s, %q, %o, %s (%v)", want.name, header.Name, content, header.Mode, header.ModTime, err)
		}
	}
}

func TestZip(t *testing.T) {
	var packed bytes.Buffer
	if err := writeZip(&packed, commit, sample); err != nil {
		t.Fatal(err)
	}
	archive, err := zip.NewReader(bytes.NewReader(packed.Bytes()), int64(packed.Len()))
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range sample {
		got := archive.File[i]
		if got.Name != want.name || int64(got.Mode()) != want.mode() || !got.Modified.Equal(commit) || got.UncompressedSize64 != uint64(len(want.content)) {
			t.Errorf("%s is %s, %o, %s, %d bytes", want.name, got.Name, got.Mode(), got.Modified, got.UncompressedSize64)
		}
	}
}

func TestWriteSums(t *testing.T) {
	r := release{folder: t.TempDir(), version: "v1"}
	var archives []string
	for _, name := range []string{"b", "a"} {
		path := filepath.Join(r.folder, name)
		if err := os.WriteFile(path, []byte("abc"), 0o600); err != nil {
			t.Fatal(err)
		}
		archives = append(archives, path)
	}
	path, err := r.writeSums(archives)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	const sum = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
	if want := sum + "  a\n" + sum + "  b\n"; err != nil || string(text) != want {
		t.Errorf("%q (%v), want %q", text, err, want)
	}
}

func TestSelectPlatforms(t *testing.T) {
	all, err := selectPlatforms("")
	if err != nil || len(all) != 6 {
		t.Errorf("a release has %d platforms (%v), want 6", len(all), err)
	}
	selected, err := selectPlatforms("windows/arm64,linux/amd64")
	if err != nil || len(selected) != 2 || selected[0].program() != "osm.exe" || selected[1].program() != "osm" {
		t.Errorf("selected: %v (%v)", selected, err)
	}
	if _, err := selectPlatforms("plan9/386"); err == nil || !strings.Contains(err.Error(), "linux/amd64") {
		t.Errorf("an unknown platform: %v", err)
	}
}
