package layout

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// ofTheTakeover matches names of what only a takeover needs: sidecars of Open Service Mesh, the bridge for them, and fields of a Mesh.
var ofTheTakeover = regexp.MustCompile(`OSMSidecar|OSMProx|^OSM$|^[bB]ridge|Bridge[A-Z]|^Adoption|ConditionAdopting`)

// The takeover of a running Open Service Mesh ends one day. It can be removed with its rooms and the calls of the table.
func TestTakeoverIsCalledFromTheTableOnly(t *testing.T) {
	want, got := documented(t, "### Calls of the takeover"), folders{}
	eachFile(t, false, parser.SkipObjectResolution, func(name string, file *ast.File) {
		from := path.Dir(name)
		rooms := roomsOf(file)
		if isInTakeover(from) || len(rooms) == 0 {
			return
		}
		if got[from] == nil {
			got[from] = map[string]bool{}
		}
		ast.Inspect(file, func(node ast.Node) bool {
			if selector, ok := node.(*ast.SelectorExpr); ok {
				if of, ok := selector.X.(*ast.Ident); ok && rooms[of.Name] != "" && selector.Sel.IsExported() {
					got[from][path.Base(rooms[of.Name])+"."+selector.Sel.Name] = true
				}
			}
			return true
		})
	})
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("docs/architecture.md: the calls of the table (-) and of the source (+) differ. A takeover is removed with its rooms: can the new call be in one of them?\n%s", diff)
	}
}

// Whoever removes the takeover finds in a table what else knows it.
func TestTakeoverIsKnownInTheTableOnly(t *testing.T) {
	callers, want, got := documented(t, "### Calls of the takeover"), documented(t, "### What else knows the takeover"), folders{}
	eachFile(t, false, parser.SkipObjectResolution, func(name string, file *ast.File) {
		from := path.Dir(name)
		if isInTakeover(from) || callers[from] != nil || strings.HasPrefix(from, "internal/testing/") || strings.HasPrefix(from, "e2e") {
			return
		}
		ast.Inspect(file, func(node ast.Node) bool {
			if id, ok := node.(*ast.Ident); ok && ofTheTakeover.MatchString(id.Name) {
				got[folderOf(t, want, from)] = map[string]bool{}
			}
			return true
		})
	})
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("docs/architecture.md: the packages of the table (-) and of the source (+) differ:\n%s", diff)
	}
}

// isInTakeover reports whether a package is in a room of the takeover.
func isInTakeover(name string) bool {
	return strings.Contains(name+"/", "/takeover/")
}

// roomsOf returns the packages of the takeover that a file imports, by their names in the file.
func roomsOf(file *ast.File) map[string]string {
	rooms := map[string]string{}
	for _, spec := range file.Imports {
		imported, _ := strconv.Unquote(spec.Path.Value)
		if to, own := strings.CutPrefix(imported, module); own && isInTakeover(to) {
			name := path.Base(to)
			if spec.Name != nil {
				name = spec.Name.Name
			}
			rooms[name] = to
		}
	}
	return rooms
}

// eachFile calls visit for each Go file of this module. Names are relative to the module.
func eachFile(t *testing.T, tests bool, mode parser.Mode, visit func(name string, file *ast.File)) {
	t.Helper()
	err := eachName(tests, func(name string) error {
		file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, name), nil, mode)
		if err == nil {
			visit(name, file)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
