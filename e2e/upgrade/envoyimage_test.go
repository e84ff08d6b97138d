package upgrade

import (
	"bytes"
	"debug/elf"
	"os"
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
	program, err := lab.PatchEnvoy(program)
	lab.Must(t, err)
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

// requireLocalImages skips a test on the current cluster of the user. Its nodes pull images, and no registry has these.
func requireLocalImages(t *testing.T) {
	t.Helper()
	if lab.IsCurrent() {
		t.Skip("an image that no registry has can be loaded into the local cluster only")
	}
}

// loadEnvoy loads the image of the sidecar with another program as Envoy, and returns its reference.
func loadEnvoy(t *testing.T, tag string, change func(*testing.T, []byte) []byte) string {
	t.Helper()
	archive, reference, err := cluster.PackEnvoy(t.TempDir(), tag, func(program []byte) ([]byte, error) { return change(t, program), nil })
	lab.Must(t, err)
	lab.Must(t, cluster.Repository.Tool(t.Context(), os.Stderr, "./cluster", "load", archive))
	return reference
}

func readFile(t *testing.T, path string) []byte {
	t.Helper()
	content, err := os.ReadFile(path)
	lab.Must(t, err)
	return content
}
