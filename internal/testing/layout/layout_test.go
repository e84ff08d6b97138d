package layout

import (
	"go/ast"
	"go/parser"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	module = "github.com/openservicemesh/osm-operator/"
	root   = "../../.."
)

// folders has for each folder the folders that it imports.
type folders map[string]map[string]bool

func TestFoldersImportWhatTheArchitectureSays(t *testing.T) {
	for heading, under := range map[string]string{"## Repository layout": "", "### The language of the mesh": "internal/mesh/"} {
		want := documented(t, heading)
		got := folders{}
		for name := range want {
			got[name] = map[string]bool{}
		}
		eachImport(t, false, func(from, to string) {
			if !strings.HasPrefix(from, under) || !strings.HasPrefix(to, under) {
				return
			}
			if from, to = folderOf(t, want, from), folderOf(t, want, to); from != to {
				got[from][to] = true
			}
		})
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("docs/architecture.md, %q: the table (-) and the imports (+) differ:\n%s", heading, diff)
		}
	}
}

func TestReconcilersAreImportedByProgramsOnly(t *testing.T) {
	eachImport(t, true, func(from, to string) {
		if strings.HasPrefix(from, "internal/") && strings.HasPrefix(to, "controllers/") {
			t.Errorf("%s imports %s", from, to)
		}
	})
}

// Each reconciler of the operator fails alone: they communicate through objects.
func TestReconcilersOfTheOperatorDoNotImportEachOther(t *testing.T) {
	const operator = "controllers/operator/"
	eachImport(t, false, func(from, to string) {
		if strings.HasPrefix(from, operator) && strings.HasPrefix(to, operator) && !strings.HasPrefix(to, from+"/") {
			t.Errorf("%s imports %s", from, to)
		}
	})
}

// A kind that refers to no other is understood without the others, and can be removed with its folder.
func TestFoldersOfPolicyKindsDoNotImportEachOther(t *testing.T) {
	const kinds = "internal/mesh/policy/"
	eachImport(t, true, func(from, to string) {
		if strings.HasPrefix(from, kinds) && strings.HasPrefix(to, kinds) && from != to {
			t.Errorf("%s imports %s", from, to)
		}
	})
}

// Whoever looks for the code behind a condition reads one table.
func TestTableOfControllersIsComplete(t *testing.T) {
	table := documented(t, "## Controllers of the operator")
	eachImport(t, false, func(from, _ string) {
		name, isController := strings.CutPrefix(from, "controllers/operator/")
		if name, _, _ = strings.Cut(name, "/"); isController && table[name] == nil {
			t.Errorf("docs/architecture.md: the table of controllers lacks %s", name)
		}
	})
}

func TestInternalHasAtMostTenFolders(t *testing.T) {
	entries, err := os.ReadDir(filepath.Join(root, "internal"))
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) > 10 {
		t.Errorf("internal has %d entries: put the new package into one of the folders of docs/architecture.md", len(entries))
	}
}

// documented reads the first table after a heading: folders in the first column, and what each imports in the last.
func documented(t *testing.T, heading string) folders {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(root, "docs", "architecture.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(string(content), heading+"\n")
	if !found {
		t.Fatalf("docs/architecture.md has no %q", heading)
	}
	section, _, _ = strings.Cut(section, "\n#")
	names, table := regexp.MustCompile("`([^`]+)`"), folders{}
	for line := range strings.Lines(section) {
		cells := strings.Split(strings.Trim(line, "| \n"), "|")
		name := names.FindStringSubmatch(cells[0])
		if !strings.HasPrefix(line, "| `") || name == nil {
			continue
		}
		table[name[1]] = map[string]bool{}
		for _, imported := range names.FindAllStringSubmatch(cells[len(cells)-1], -1) {
			table[name[1]][imported[1]] = true
		}
	}
	return table
}

// folderOf returns the folder of a table that has a package.
func folderOf(t *testing.T, table folders, name string) string {
	t.Helper()
	for folder := name; folder != "."; folder = path.Dir(folder) {
		if _, found := table[folder]; found {
			return folder
		}
	}
	t.Fatalf("docs/architecture.md: no row for %s (rows: %v)", name, slices.Sorted(maps.Keys(table)))
	return ""
}

// eachImport calls visit for each import of one package of this module by another. Paths are relative to the module.
func eachImport(t *testing.T, tests bool, visit func(from, to string)) {
	t.Helper()
	eachFile(t, tests, parser.ImportsOnly, func(name string, file *ast.File) {
		for _, spec := range file.Imports {
			imported, _ := strconv.Unquote(spec.Path.Value)
			if to, own := strings.CutPrefix(imported, module); own {
				visit(path.Dir(name), to)
			}
		}
	})
}

// eachName calls visit with the name of each Go file of this module, and stops at the first error.
func eachName(tests bool, visit func(name string) error) error {
	return fs.WalkDir(os.DirFS(root), ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (name == "hack" || name != "." && strings.HasPrefix(name, ".")):
			return fs.SkipDir // hack is a module of its own.
		case entry.IsDir() || path.Ext(name) != ".go" || strings.HasSuffix(name, "_test.go") && !tests:
			return nil
		}
		return visit(name)
	})
}
