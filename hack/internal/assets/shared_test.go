package assets

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/mod/modfile"
)

// TestDemoCompilesDependenciesOnce fails if programs of the demo depend on different versions of a module: its packages, and all that import them, would
// be compiled for each. That took a fifth of the time of the first demo on a machine.
func TestDemoCompilesDependenciesOnce(t *testing.T) {
	// Versions that the program itself was released with are kept where they decide how it behaves.
	differ := map[string]string{
		"github.com/google/cel-go":    "Kubernetes evaluates expressions of CustomResourceDefinitions with it",
		"github.com/mdlayher/netlink": "few packages import it",
		"github.com/mdlayher/socket":  "few packages import it",
	}
	first := map[string][2]string{}
	for _, file := range []string{"go.mod", "hack/kube/go.mod", "hack/servers/coredns/go.mod"} {
		for module, version := range requirements(t, filepath.Join("..", "..", "..", filepath.FromSlash(file))) {
			other, seen := first[module]
			switch {
			case !seen:
				first[module] = [2]string{version, file}
			case other[0] != version && differ[module] == "":
				t.Errorf("%s requires %s %s, and %s requires %s: choose one version for both", other[1], module, other[0], file, version)
			}
		}
	}
}

// requirements are the versions of modules that a go.mod requires, after its replacements.
func requirements(t *testing.T, file string) map[string]string {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := modfile.Parse(file, content, nil)
	if err != nil {
		t.Fatal(err)
	}
	versions := map[string]string{}
	for _, r := range parsed.Require {
		versions[r.Mod.Path] = r.Mod.Version
	}
	for _, r := range parsed.Replace {
		if _, required := versions[r.Old.Path]; required && !strings.HasPrefix(r.New.Path, ".") {
			versions[r.Old.Path] = r.New.Version
		}
	}
	return versions
}
