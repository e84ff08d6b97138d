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

	"github.com/openservicemesh/osm-operator/e2e/lab"
)

// currentEnvoy returns the image of this version's sidecar.
func currentEnvoy(t *testing.T) string {
	t.Helper()
	return pinnedReferences(t, cluster.Repository.Path("bin", "images", "images.lock"))["envoy"]
}

// patched gives Envoy another build ID, as a patch release has.
func patched(t *testing.T, program []byte) []byte {
	id := buildID(t, program)
	program[bytes.Index(program, id)] ^= 1
	return program
}

// rejecting gives Envoy another build ID, and lets it reject the configuration of all TCP ports, because it does not know a filter of theirs.
func rejecting(t *testing.T, program []byte) []byte {
	const known, unknown = "envoy.extensions.filters.network.rbac.v3", "envoy.extensions.filters.network.rbax.v3"
	if !bytes.Contains(program, []byte(known)) {
		t.Fatalf("Envoy has no filter %s", known)
	}
	return bytes.ReplaceAll(patched(t, program), []byte(known), []byte(unknown))
}

// ending is a program that ends at once.
func ending(t *testing.T, program []byte) []byte {
	program = patched(t, program)
	file, err := elf.NewFile(bytes.NewReader(program))
	lab.Must(t, err)
	for _, section := range file.Progs {
		if section.Type == elf.PT_LOAD && section.Vaddr <= file.Entry && file.Entry < section.Vaddr+section.Filesz {
			// An instruction that no processor has: 0x0f 0x0b of x86, and zeros of ARM.
			copy(program[section.Off+file.Entry-section.Vaddr:], []byte{0x0f, 0x0b, 0, 0})
		}
	}
	return program
}

// earlier is Envoy of the minor version before.
func earlier(t *testing.T, _ []byte) []byte {
	path, err := cluster.Repository.ToolOutput(t.Context(), "./images", "earlier-envoy-path")
	lab.Must(t, err)
	lines := strings.Fields(path)
	return readFile(t, lines[len(lines)-1])
}

// loadEnvoy loads the image of the sidecar with another program as Envoy, and returns its reference.
func loadEnvoy(t *testing.T, tag string, change func(*testing.T, []byte) []byte) string {
	t.Helper()
	reference := "docker.io/openservicemesh/envoy:" + tag
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
		lab.Must(t, err)
		content, err := io.ReadAll(reader)
		lab.Must(t, err)
		const program = "usr/local/bin/envoy"
		if readTar(t, content)[program] == nil {
			continue
		}
		content = changeFile(t, content, program, change)
		var packed bytes.Buffer
		writer, err := gzip.NewWriterLevel(&packed, gzip.BestSpeed)
		lab.Must(t, err)
		_, err = writer.Write(content)
		lab.Must(t, errors.Join(err, writer.Close()))
		diffs[i] = digest(content)
		replaceBlob(files, layer.(map[string]any), packed.Bytes())
	}
	replaceBlob(files, described, marshal(t, config))
	replaceBlob(files, entry, marshal(t, manifest))
	entry["annotations"] = map[string]string{"io.containerd.image.name": reference, "org.opencontainers.image.ref.name": tag}
	files["index.json"] = marshal(t, index)
	archive := filepath.Join(t.TempDir(), "envoy.tar")
	lab.Must(t, os.WriteFile(archive, writeTar(t, files), 0o600))
	lab.Must(t, cluster.Repository.Tool(t.Context(), os.Stderr, "./cluster", "load", archive))
	return reference + "@" + entry["digest"].(string)
}

// changeFile changes one file of an archive.
func changeFile(t *testing.T, archive []byte, name string, change func(*testing.T, []byte) []byte) []byte {
	t.Helper()
	var packed bytes.Buffer
	writer := tar.NewWriter(&packed)
	for reader := tar.NewReader(bytes.NewReader(archive)); ; {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			lab.Must(t, writer.Close())
			return packed.Bytes()
		}
		lab.Must(t, err)
		content, err := io.ReadAll(reader)
		lab.Must(t, err)
		if strings.TrimPrefix(header.Name, "./") == name {
			content = change(t, content)
			header.Size = int64(len(content))
		}
		lab.Must(t, writer.WriteHeader(header))
		_, err = writer.Write(content)
		lab.Must(t, err)
	}
}

// buildID returns the build ID of a program.
func buildID(t *testing.T, program []byte) []byte {
	t.Helper()
	file, err := elf.NewFile(bytes.NewReader(program))
	lab.Must(t, err)
	section := file.Section(".note.gnu.build-id")
	if section == nil {
		t.Fatal("Envoy has no build ID")
	}
	const header = 16
	note, err := section.Data()
	lab.Must(t, err)
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
	lab.Must(t, err)
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
		lab.Must(t, err)
		if header.Typeflag != tar.TypeReg {
			continue
		}
		files[strings.TrimPrefix(header.Name, "./")], err = io.ReadAll(reader)
		lab.Must(t, err)
	}
}

func writeTar(t *testing.T, files map[string][]byte) []byte {
	t.Helper()
	var packed bytes.Buffer
	writer := tar.NewWriter(&packed)
	for name, content := range files {
		lab.Must(t, writer.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(content))}))
		_, err := writer.Write(content)
		lab.Must(t, err)
	}
	lab.Must(t, writer.Close())
	return packed.Bytes()
}

func marshal(t *testing.T, value any) []byte {
	t.Helper()
	content, err := json.Marshal(value)
	lab.Must(t, err)
	return content
}

func unmarshal(t *testing.T, content []byte, value any) {
	t.Helper()
	lab.Must(t, json.Unmarshal(content, value))
}
