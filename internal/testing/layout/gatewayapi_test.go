package layout

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

// TestReleasesOfTheGatewayAPIAreThoseOfTheModules compares each place that names a release of the Gateway API with the module that sets it: go.mod of the
// product, or of the conformance suite.
func TestReleasesOfTheGatewayAPIAreThoseOfTheModules(t *testing.T) {
	const product, suite = "go.mod", "e2e/conformance/go.mod"
	module := map[string]string{
		product: releaseIn(t, product, `sigs\.k8s\.io/gateway-api v([0-9.]+)`),
		suite:   releaseIn(t, suite, `sigs\.k8s\.io/gateway-api/conformance v([0-9.]+)\n`),
	}
	for _, place := range []struct{ file, pattern, module string }{
		{"controllers/operator/components/controller.go", `gateway-api/releases/download/v([0-9.]+)/`, product},
		{"docs/support-matrix.md", `\| Gateway API \| v([0-9.]+),`, product},
		{"docs/gateway-api-conformance.md", `(?m)^Release ([0-9.]+),`, suite},
		{suite, `=> sigs\.k8s\.io/gateway-api v([0-9.]+)\n`, suite},
	} {
		if release := releaseIn(t, place.file, place.pattern); release != module[place.module] {
			t.Errorf("%s names release %s of the Gateway API, and %s has %s", place.file, release, place.module, module[place.module])
		}
	}
}

// releaseIn returns the release that a pattern finds in a file of the repository.
func releaseIn(t *testing.T, file, pattern string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(file)))
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(pattern).FindSubmatch(text)
	if found == nil {
		t.Fatalf("%s names no release of the Gateway API: %s", file, pattern)
	}
	return string(found[1])
}
