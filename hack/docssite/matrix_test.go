package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func readFile(t *testing.T, elements ...string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(append([]string{"..", ".."}, elements...)...))
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// The support matrix has the versions that tests use.
func TestSupportMatrixHasTheTestedVersions(t *testing.T) {
	page := readFile(t, "docs", "support-matrix.md")
	for _, dependency := range []struct{ module, file string }{
		{"k8s.io/kubernetes", "hack/kube/go.mod"},
		{"helm.sh/helm/v4", "hack/tools/helm/go.mod"},
		{"github.com/operator-framework/operator-lifecycle-manager", "hack/servers/olm/go.mod"},
		{"github.com/fluxcd/kustomize-controller", "hack/servers/flux/go.mod"},
		{"github.com/fluxcd/source-controller", "hack/servers/flux/go.mod"},
		{"github.com/argoproj/argo-cd/v2", "hack/tools/argocd/go.mod"},
		{"github.com/cert-manager/cert-manager", "hack/certmanager/go.mod"},
		{"github.com/cert-manager/approver-policy", "hack/servers/approver-policy/go.mod"},
		{"github.com/hashicorp/vault", "hack/vault/go.mod"},
		{"sigs.k8s.io/gateway-api", "go.mod"},
		{"github.com/prometheus-operator/prometheus-operator", "hack/servers/prometheus-operator/go.mod"},
		{"github.com/argoproj/argo-rollouts", "hack/servers/argo-rollouts/go.mod"},
		{"github.com/openkruise/kruise", "hack/servers/kruise/go.mod"},
		{"sigs.k8s.io/metrics-server", "hack/servers/metrics-server/go.mod"},
		{"github.com/jaegertracing/jaeger", "hack/servers/jaeger/go.mod"},
		{"github.com/perses/perses", "hack/servers/perses/go.mod"},
	} {
		found := regexp.MustCompile(`(?m)^(?:require)?\s*` + regexp.QuoteMeta(dependency.module) + ` (v\S+)`).FindStringSubmatch(readFile(t, dependency.file))
		if found == nil {
			t.Errorf("%s does not require %s", dependency.file, dependency.module)
			continue
		}
		if !strings.Contains(page, found[1]) {
			t.Errorf("docs/support-matrix.md does not contain %s %s", dependency.module, found[1])
		}
	}
}

// Each test that the support matrix names exists.
func TestSupportMatrixNamesTests(t *testing.T) {
	defined := map[string]bool{}
	declaration := regexp.MustCompile(`(?m)^func (Test\w+)\(`)
	err := filepath.WalkDir(filepath.Join("..", ".."), func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		content, err := os.ReadFile(path)
		for _, found := range declaration.FindAllStringSubmatch(string(content), -1) {
			defined[found[1]] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile("`(Test\\w+)`").FindAllStringSubmatch(readFile(t, "docs", "support-matrix.md"), -1)
	if len(named) < 20 {
		t.Errorf("the support matrix names %d tests: has its form changed?", len(named))
	}
	for _, name := range named {
		if !defined[name[1]] {
			t.Errorf("docs/support-matrix.md names %s, which does not exist", name[1])
		}
	}
}
