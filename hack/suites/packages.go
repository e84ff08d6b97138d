package main

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// goldenWord is in the names of the tests of the suite golden; as a pattern of go test it finds those.
const goldenWord = "Golden"

// testFunction finds the names of tests, fuzz tests and examples. What a package does around its tests is none.
var testFunction = regexp.MustCompile(`(?m)^func ((?:Test|Fuzz|Example)\w*)\(`)

// testPackage is a folder of a module that has tests.
type testPackage struct {
	// dir is the folder relative to the module, such as ./internal/catalog.
	dir string
	// envtest is true when a test file imports a package named envtest.
	envtest bool
	// golden is true when a test has Golden in its name, unit when some other test is there.
	golden, unit bool
}

// findPackages returns the packages with tests below a module's root, sorted; nested modules are left out.
func findPackages(root string) ([]testPackage, error) {
	found := map[string]testPackage{}
	err := filepath.WalkDir(root, func(file string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			return enter(root, file, entry.Name())
		}
		if !strings.HasSuffix(file, "_test.go") {
			return nil
		}
		relative, err := filepath.Rel(root, filepath.Dir(file))
		if err != nil {
			return err
		}
		dir := "./" + filepath.ToSlash(relative)
		p, err := classify(found[dir], file)
		p.dir = dir
		found[dir] = p
		return err
	})
	if err != nil {
		return nil, err
	}
	packages := make([]testPackage, 0, len(found))
	for _, p := range found {
		packages = append(packages, p)
	}
	slices.SortFunc(packages, func(a, b testPackage) int { return strings.Compare(a.dir, b.dir) })
	return packages, nil
}

// enter says whether a walk goes into the folder: not into nested modules, and not where go itself would not look.
func enter(root, dir, name string) error {
	if dir == root {
		return nil
	}
	if name == "testdata" || name == "vendor" || strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_") {
		return filepath.SkipDir
	}
	if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
		return filepath.SkipDir
	}
	return nil
}

// classify adds what one test file says to what is known about its package.
func classify(p testPackage, file string) (testPackage, error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return p, err
	}
	parsed, err := parser.ParseFile(token.NewFileSet(), file, content, parser.ImportsOnly)
	if err != nil {
		return p, err
	}
	for _, imported := range parsed.Imports {
		name, err := strconv.Unquote(imported.Path.Value)
		if err != nil {
			return p, err
		}
		p.envtest = p.envtest || path.Base(name) == "envtest"
	}
	for _, match := range testFunction.FindAllSubmatch(content, -1) {
		name := string(match[1])
		isGolden := strings.HasPrefix(name, "Test") && strings.Contains(name, goldenWord)
		p.golden = p.golden || isGolden
		p.unit = p.unit || !isGolden && name != "TestMain"
	}
	return p, nil
}

// selectDirs returns the folders of the packages that the function picks.
func selectDirs(packages []testPackage, pick func(testPackage) bool) []string {
	var dirs []string
	for _, p := range packages {
		if pick(p) {
			dirs = append(dirs, p.dir)
		}
	}
	return dirs
}

// inE2E reports whether the package belongs to the tests of a whole cluster.
func inE2E(p testPackage) bool { return p.dir == "./e2e" || strings.HasPrefix(p.dir, "./e2e/") }
