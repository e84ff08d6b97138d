package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// modulePath begins the import path of each package of the project.
const modulePath = "github.com/openservicemesh/osm-operator/"

// Each test that runs in `make test-full` only is listed in the budget, and each listed test exists. Otherwise only a whole run finds what is missing.
func TestBudgetListsTestsOfFullRuns(t *testing.T) {
	b, err := readBudget("../budget.yaml")
	if err != nil {
		t.Fatal(err)
	}
	long, all := testsOf(t, "../..")
	if len(long) == 0 {
		t.Fatal("no test requires a full run")
	}
	for _, test := range long {
		if !b.maySkip(test, false) {
			t.Errorf("%s runs in `make test-full` only, and hack/budget.yaml does not list it: add {test: %s, runsInFull: true, reason: …} to its skips", test, test)
		}
	}
	for _, s := range b.Skips {
		folder, test, _ := strings.Cut(strings.TrimPrefix(s.Test, modulePath), ".")
		function, _, _ := strings.Cut(test, "/")
		if !slices.Contains(all, modulePath+folder+"."+function) {
			t.Errorf("hack/budget.yaml allows %s to be skipped, and no such test exists", s.Test)
		}
	}
}

// testsOf returns the tests that are skipped unless a run is full, and all tests, by the import path of their package.
func testsOf(t *testing.T, root string) (long, all []string) {
	folders := map[string]map[string][]string{}
	for file, functions := range callsOfTests(t, root) {
		folder := filepath.ToSlash(filepath.Dir(file))
		if folders[folder] == nil {
			folders[folder] = map[string][]string{}
		}
		for name, calls := range functions {
			folders[folder][name] = calls
		}
	}
	for folder, calls := range folders {
		for name := range calls {
			if !strings.HasPrefix(name, "Test") {
				continue
			}
			test := modulePath + folder + "." + name
			all = append(all, test)
			if requiresFull(calls, name, nil) {
				long = append(long, test)
			}
		}
	}
	slices.Sort(long)
	return long, all
}

// requiresFull reports whether a function calls lab.RequireFull, itself or through functions of its package.
func requiresFull(calls map[string][]string, name string, visited []string) bool {
	if slices.Contains(visited, name) {
		return false
	}
	return slices.ContainsFunc(calls[name], func(called string) bool {
		return called == "lab.RequireFull" || called == "full.Require" || requiresFull(calls, called, append(visited, name))
	})
}

// callsOfTests returns what each function of the test files calls outside of closures: those are other tests, or run later.
func callsOfTests(t *testing.T, root string) map[string]map[string][]string {
	files := map[string]map[string][]string{}
	err := filepath.WalkDir(root, func(file string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(file, "_test.go") {
			return err
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, file)
		files[name] = callsOf(parsed)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// callsOf returns the names that each function of a file calls, with the package of functions from elsewhere.
func callsOf(file *ast.File) map[string][]string {
	functions := map[string][]string{}
	for _, declaration := range file.Decls {
		function, ok := declaration.(*ast.FuncDecl)
		if !ok || function.Recv != nil || function.Body == nil {
			continue
		}
		var calls []string
		ast.Inspect(function.Body, func(node ast.Node) bool {
			if call, ok := node.(*ast.CallExpr); ok {
				calls = append(calls, nameOf(call.Fun))
			}
			_, closure := node.(*ast.FuncLit)
			return !closure
		})
		functions[function.Name.Name] = calls
	}
	return functions
}

// nameOf returns the name of a called function, or nothing for a call of a value.
func nameOf(function ast.Expr) string {
	switch f := function.(type) {
	case *ast.Ident:
		return f.Name
	case *ast.SelectorExpr:
		if x, ok := f.X.(*ast.Ident); ok {
			return x.Name + "." + f.Sel.Name
		}
	}
	return ""
}
