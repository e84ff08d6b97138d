package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestKrewManifestListsArchives(t *testing.T) {
	r := release{folder: t.TempDir(), version: "v1.2.3"}
	archive := filepath.Join(r.folder, "osm-v1.2.3-windows-amd64.zip")
	if err := os.WriteFile(archive, []byte("abc"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := r.writeKrew(map[platform]string{{"windows", "amd64"}: archive}); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(r.folder, "osm.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	const want = `apiVersion: krew.googlecontainertools.github.com/v1alpha2
kind: Plugin
metadata:
  name: osm
spec:
  description: |
    Installs Open Service Mesh, adds namespaces to it, explains its policies, and shows its traffic.
  homepage: https://github.com/openservicemesh/osm-operator
  platforms:
  - bin: osm.exe
    files:
    - from: osm.exe
      to: .
    - from: LICENSE
      to: .
    selector:
      matchLabels:
        arch: amd64
        os: windows
    sha256: ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad
    uri: https://github.com/openservicemesh/osm-operator/releases/download/v1.2.3/osm-v1.2.3-windows-amd64.zip
  shortDescription: Install and observe Open Service Mesh
  version: v1.2.3
`
	if diff := cmp.Diff(want, string(text)); diff != "" {
		t.Errorf("the manifest differs (-want +got):\n%s", diff)
	}
}
