package main

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// writeTree writes files into a new folder and returns it.
func writeTree(t *testing.T, content map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range content {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func TestFindPackages(t *testing.T) {
	const plain = "package p\n\nimport \"testing\"\n\nfunc TestX(t *testing.T) {}\n"
	root := writeTree(t, map[string]string{
		"go.mod":                "module m\n",
		"a/a.go":                "package a\n",
		"b/b.go":                "package b\n\nimport \"sync\"\n\nvar X = sync.OnceValue(func() int { return 1 })\n",
		"b/b_test.go":           plain,
		"c/c_test.go":           "package c\n\nimport \"testing\"\n\nfunc TestGoldenRoutes(t *testing.T) {}\n",
		"c/more_test.go":        plain,
		"c/c.go":                "package c\n\nfunc Start(f func()) {\n\tgo f()\n}\n",
		"d/d_test.go":           "package d\n\nimport \"testing\"\n\nfunc TestOnlyGolden(t *testing.T) {}\n",
		"k/k_test.go":           "package k\n\nimport \"sigs.k8s.io/controller-runtime/pkg/envtest\"\n\nvar _ = envtest.Environment{}\n\nfunc TestY() {}\n",
		"e2e/flow/flow_test.go": plain,
		"nested/go.mod":         "module n\n",
		"nested/n_test.go":      plain,
		"b/testdata/t_test.go":  plain,
		"m/main_test.go":        "package m\n\nimport \"testing\"\n\nfunc TestMain(m *testing.M) { m.Run() }\n\nfunc TestRulesGolden(t *testing.T) {}\n",
		".hidden/h_test.go":     plain,
	})
	got, err := findPackages(root)
	if err != nil {
		t.Fatal(err)
	}
	want := []testPackage{
		{dir: "./b", tested: true, unit: true},
		{dir: "./c", tested: true, golden: true, unit: true, concurrent: true},
		{dir: "./d", tested: true, golden: true},
		{dir: "./e2e/flow", tested: true, unit: true},
		{dir: "./k", tested: true, envtest: true, unit: true},
		{dir: "./m", tested: true, golden: true},
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(testPackage{})); diff != "" {
		t.Errorf("packages (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"./e2e/flow"}, selectDirs(got, inE2E)); diff != "" {
		t.Errorf("packages of e2e (-want +got):\n%s", diff)
	}
}

func TestFuzzTestsRunInFullMode(t *testing.T) {
	root := writeTree(t, map[string]string{
		"go.mod":      "module m\n",
		"hack/go.mod": "module h\n",
		"a/a_test.go": "package a\n\nimport \"testing\"\n\nfunc FuzzOne(f *testing.F) {}\n\nfunc FuzzTwo(f *testing.F) {}\n",
	})
	commands, err := unit(checkout{root: root, full: true})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"go test -json -vet=off -timeout=0 -ldflags=-s -w -run ^FuzzOne$ -fuzz ^FuzzOne$ -fuzztime 30s ./a",
		"go test -json -vet=off -timeout=0 -ldflags=-s -w -run ^FuzzTwo$ -fuzz ^FuzzTwo$ -fuzztime 30s ./a",
	}
	if got := commandLines(commands); !slices.Equal(got[len(got)-2:], want) {
		t.Errorf("commands = %q, want %q at the end", got, want)
	}
}

func TestEachPackageBelongsToOneSuite(t *testing.T) {
	const test = "package p\n\nimport \"testing\"\n\nfunc TestX(t *testing.T) {}\n"
	root := writeTree(t, map[string]string{
		"go.mod":                "module m\n",
		"a/a_test.go":           test,
		"config/rbac/r_test.go": test,
		"g/g_test.go":           "package g\n\nimport \"testing\"\n\nfunc TestGoldenX(t *testing.T) {}\n",
		"k/k_test.go":           "package k\n\nimport _ \"m/testing/envtest\"\n\nfunc TestY() {}\n",
		"e2e/e_test.go":         test,
		"hack/go.mod":           "module h\n",
		"hack/t/tool_test.go":   test,
	})
	c := checkout{root: root}
	want := map[string][]string{
		"unit":    {"go test -json -vet=off -timeout=0 -ldflags=-s -w -skip Golden -count=1 ./a", "go test -json -vet=off -timeout=0 -ldflags=-s -w -skip Golden -count=1 ./config/rbac", "go test -json -vet=off -timeout=0 -ldflags=-s -w ./t"},
		"golden":  {"go test -json -vet=off -timeout=0 -ldflags=-s -w -run Golden ./g"},
		"envtest": {"go test -json -vet=off -timeout=0 -ldflags=-s -w -count=1 -p=2 -skip Golden ./k"},
		"e2e":     {"go test -json -vet=off -timeout=0 -ldflags=-s -w -count=1 -p=1 ./e2e", "go run ./permissions -unused"},
	}
	for _, s := range suites() {
		expected, ok := want[s.name]
		if !ok {
			continue
		}
		commands, err := s.commands(c)
		if err != nil {
			t.Errorf("%s: %v", s.name, err)
		}
		if diff := cmp.Diff(expected, commandLines(commands)); diff != "" {
			t.Errorf("commands of %s (-want +got):\n%s", s.name, diff)
		}
	}
}

func TestOnlyFullRunSetsVariable(t *testing.T) {
	if env := (checkout{}).env(); len(env) > 0 {
		t.Errorf("an ordinary run sets %v, want nothing", env)
	}
	if diff := cmp.Diff([]string{"OSM_TEST_SEED=7"}, checkout{seed: "7"}.env()); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"OSM_TEST_FULL=true"}, checkout{full: true, seed: "7"}.env()); diff != "" {
		t.Errorf("variables of a full run (-want +got):\n%s", diff)
	}
}
