package upgrade

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"debug/elf"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// loadPatchedEnvoy loads the image of the sidecar with another build ID, as a patch release has, and returns its reference.
func loadPatchedEnvoy(t *testing.T) string {
	t.Helper()
	const reference = "docker.io/openservicemesh/envoy:patched"
	files := readTar(t, readFile(t, cluster.Repository.Path("bin", "images", "envoy.tar")))
	var index, manifest, config map[string]any
	unmarshal(t, files["index.json"], &index)
	entry := index["manifests"].([]any)[0].(map[string]any)
	unmarshal(t, files[blob(entry)], &manifest)
	described := manifest["config"].(map[string]any)
	unmarshal(t, files[blob(described)], &config)
	layers, diffs := manifest["layers"].([]any), config["rootfs"].(map[string]any)["diff_ids"].([]any)
	for i, layer := range layers {
		reader, err := gzip.NewReader(bytes.NewReader(files[blob(layer.(map[string]any))]))
		must(t, err)
		content, err := io.ReadAll(reader)
		must(t, err)
		program := readTar(t, content)["usr/local/bin/envoy"]
		if program == nil {
			continue
		}
		id := buildID(t, program)
		content[bytes.Index(content, id)] ^= 1
		var packed bytes.Buffer
		writer := gzip.NewWriter(&packed)
		_, err = writer.Write(content)
		must(t, errors.Join(err, writer.Close()))
		diffs[i] = digest(content)
		replaceBlob(files, layer.(map[string]any), packed.Bytes())
	}
	replaceBlob(files, described, marshal(t, config))
	replaceBlob(files, entry, marshal(t, manifest))
	entry["annotations"] = map[string]string{"io.containerd.image.name": reference, "org.opencontainers.image.ref.name": "patched"}
	files["index.json"] = marshal(t, index)
	archive := filepath.Join(t.TempDir(), "envoy.tar")
	must(t, os.WriteFile(archive, writeTar(t, files), 0o600))
	must(t, cluster.Shell(t.Context(), "go run -C hack ./cluster load "+archive))
	return reference
}

// buildID returns the build ID of a program.
func buildID(t *testing.T, program []byte) []byte {
	t.Helper()
	file, err := elf.NewFile(bytes.NewReader(program))
	must(t, err)
	section := file.Section(".note.gnu.build-id")
	if section == nil {
		t.Fatal("Envoy has no build ID")
	}
	const header = 16
	note, err := section.Data()
	must(t, err)
	return note[header:]
}

// blob returns the path of what a descriptor describes.
func blob(descriptor map[string]any) string {
	return "blobs/sha256/" + strings.TrimPrefix(descriptor["digest"].(string), "sha256:")
}

func replaceBlob(files map[string][]byte, descriptor map[string]any, content []byte) {
	delete(files, blob(descriptor))
	descriptor["digest"], descriptor["size"] = digest(content), len(content)
	files[blob(descriptor)] = content
}

func digest(content []byte) string {
	sum := sha256.Sum256(content)
	return "sha256:" + hex.EncodeToString(sum[:])
}

func readFile(t *testing.T, path string) []byte {
	t.Helper()
	content, err := os.ReadFile(path)
	must(t, err)
	return content
}

func readTar(t *testing.T, content []byte) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	for reader := tar.NewReader(bytes.NewReader(content)); ; {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		must(t, err)
		if header.Typeflag != tar.TypeReg {
			continue
		}
		files[strings.TrimPrefix(header.Name, "./")], err = io.ReadAll(reader)
		must(t, err)
	}
}

func writeTar(t *testing.T, files map[string][]byte) []byte {
	t.Helper()
	var packed bytes.Buffer
	writer := tar.NewWriter(&packed)
	for name, content := range files {
		must(t, writer.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(content))}))
		_, err := writer.Write(content)
		must(t, err)
	}
	must(t, writer.Close())
	return packed.Bytes()
}

func marshal(t *testing.T, value any) []byte {
	t.Helper()
	content, err := json.Marshal(value)
	must(t, err)
	return content
}

func unmarshal(t *testing.T, content []byte, value any) {
	t.Helper()
	must(t, json.Unmarshal(content, value))
}
