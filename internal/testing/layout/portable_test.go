package layout

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The command line is released for macOS and Windows too. Compiling it for them takes minutes and is part of `make test-full`; this finds the usual
// reason why it does not compile: a package with system calls that only Linux has.
func TestCommandLineHasNoSystemCalls(t *testing.T) {
	for _, folder := range withImports(t, "cmd/osm") {
		for _, call := range systemCalls(t, filepath.Join(root, folder)) {
			t.Errorf("%s, which cmd/osm contains, uses %s: osm would not compile for all systems", folder, call)
		}
	}
}

// withImports returns a package and all of this module that it contains.
func withImports(t *testing.T, program string) []string {
	t.Helper()
	imports := map[string][]string{}
	eachImport(t, false, func(from, to string) { imports[from] = append(imports[from], to) })
	found := []string{program}
	for i := 0; i < len(found); i++ {
		for _, to := range imports[found[i]] {
			if !slices.Contains(found, to) {
				found = append(found, to)
			}
		}
	}
	return found
}

// systemCalls returns what the files of a folder for all systems use of the packages of one. All systems have the names of signals.
func systemCalls(t *testing.T, folder string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	var calls []string
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") || strings.HasSuffix(name, "_linux.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if call, is := n.(*ast.SelectorExpr); is {
				from, named := call.X.(*ast.Ident)
				if named && (from.Name == "unix" || from.Name == "syscall" && !strings.HasPrefix(call.Sel.Name, "SIG")) {
					calls = append(calls, from.Name+"."+call.Sel.Name)
				}
			}
			return true
		})
	}
	return calls
}
