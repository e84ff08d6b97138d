package affected

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestChangesAffectImportersAndTheirTests(t *testing.T) {
	packages := []Package{
		{Folder: "a"},
		{Folder: "b", Imports: []string{"a"}},
		{Folder: "c", Imports: []string{"b"}},
		{Folder: "d", TestImports: []string{"b"}},
		{Folder: "e", Imports: []string{"d"}},
		{Folder: "pages", Reads: []string{"docs"}},
		{Folder: "layout", Reads: []string{"."}},
	}
	for _, test := range []struct {
		name          string
		changed, want []string
	}{
		{"a source affects importers and the tests that import them", []string{"a/a.go"}, []string{"a", "b", "c", "d", "layout"}},
		{"a test affects its package", []string{"a/a_test.go"}, []string{"a", "layout"}},
		{"data of a test affects its package", []string{"b/testdata/x/y.yaml"}, []string{"b", "layout"}},
		{"an embedded file affects importers", []string{"b/files/y.yaml"}, []string{"b", "c", "d", "layout"}},
		{"a page affects the tests that read pages", []string{"docs/mesh.md"}, []string{"layout", "pages"}},
		{"a file that no test reads affects those that read everything", []string{"LICENSE"}, []string{"layout"}},
	} {
		if diff := cmp.Diff(test.want, Folders(packages, test.changed)); diff != "" {
			t.Errorf("%s:\n%s", test.name, diff)
		}
	}
}

func TestPackagesOfAModuleAreListed(t *testing.T) {
	root := t.TempDir()
	for name, content := range map[string]string{
		"go.mod":        "module example.com/m\n\ngo 1.26\n",
		"a/a.go":        "package a\n",
		"b/b.go":        "package b\n\nimport _ \"example.com/m/a\"\n",
		"b/b_test.go":   "package b_test\n\nimport _ \"example.com/m/c/d\"\n\nconst page = \"../docs/page.md\"\n",
		"c/d/d.go":      "package d\n",
		"c/d/d_test.go": "package d\n\nvar folder = []string{\"..\", \"..\", \"config\"}\n",
	} {
		file := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, err := List(t.Context(), root)
	if err != nil {
		t.Fatal(err)
	}
	want := []Package{
		{Folder: "a"},
		{Folder: "b", Imports: []string{"a"}, TestImports: []string{"c/d"}, Reads: []string{"docs/page.md"}},
		{Folder: "c/d", Reads: []string{"config"}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
