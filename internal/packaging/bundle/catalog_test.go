package bundle_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/packaging/bundle"
)

// release renders a version of this checkout.
func release(t *testing.T, version, replaces, image string) bundle.Release {
	t.Helper()
	in, err := bundle.ReadInput(os.DirFS("../../.."))
	if err != nil {
		t.Fatal(err)
	}
	in.Version, in.Replaces = version, replaces
	files, err := bundle.Render(in)
	if err != nil {
		t.Fatal(err)
	}
	return bundle.Release{Files: files, Image: image}
}

// opmValidate validates a catalog with opm.
func opmValidate(t *testing.T, catalog []byte) error {
	t.Helper()
	program := os.Getenv("OPM_BIN")
	if program == "" {
		t.Fatal("OPM_BIN is not set: this test runs opm, set it to the path of the program (go run -C hack ./tool opm builds it)")
	}
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "catalog.json"), catalog, 0o600); err != nil {
		t.Fatal(err)
	}
	output, err := exec.CommandContext(t.Context(), program, "validate", folder).CombinedOutput()
	t.Logf("opm validate: %s", output)
	return err
}

func TestCatalogIsValid(t *testing.T) {
	const image = "docker.io/openservicemesh/osm-operator-bundle:v0.2.0" + digest
	for name, releases := range map[string][]bundle.Release{
		"with manifests": {release(t, "v0.1.0", "", ""), release(t, "v0.2.0", "v0.1.0", "")},
		"with images":    {release(t, "v0.1.0", "", image), release(t, "v0.2.0", "v0.1.0", image)},
	} {
		t.Run(name, func(t *testing.T) {
			catalog, err := bundle.Catalog(releases, "A service mesh", []byte("<svg/>"))
			if err != nil {
				t.Fatal(err)
			}
			if err := opmValidate(t, catalog); err != nil {
				t.Error(err)
			}
			if !strings.Contains(string(catalog), `"replaces": "osm-operator.v0.1.0"`) {
				t.Error("the catalog has no upgrade from v0.1.0")
			}
		})
	}
}

// A catalog with a broken upgrade graph is invalid, so TestCatalogIsValid can fail.
func TestInvalidCatalogIsFound(t *testing.T) {
	catalog, err := bundle.Catalog([]bundle.Release{release(t, "v0.1.0", "", ""), release(t, "v0.2.0", "v0.1.0", "")}, "", []byte("<svg/>"))
	if err != nil {
		t.Fatal(err)
	}
	if err := opmValidate(t, []byte(strings.ReplaceAll(string(catalog), `"replaces": "osm-operator.v0.1.0"`, `"replaces": ""`))); err == nil {
		t.Error("a catalog with two heads of a channel is valid")
	}
}
