package main

import (
	"context"
	"fmt"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/openservicemesh/osm-operator/hack/internal/affected"
)

// changedSuites returns what `make check` runs: the linters, the comparison of generated files, and the unit tests and golden tests that
// a change since a commit can affect. They run without the race detector, which `make test` adds.
func changedSuites(ctx context.Context, c checkout, since string, out io.Writer) ([]suite, error) {
	files, err := changedFiles(ctx, c.root, since)
	if err != nil {
		return nil, err
	}
	var commands []command
	count := 0
	for _, module := range []string{c.root, c.hack()} {
		dirs, err := affectedTests(ctx, c.root, module, files)
		if err != nil {
			return nil, err
		}
		if count += len(dirs); len(dirs) > 0 {
			commands = append(commands, goTest(module, dirs))
		}
	}
	fmt.Fprintf(out, "%s changed since %s: %s with tests to run\n", pluralize(len(files), "file"), since, pluralize(count, "package"))
	chosen, err := selectSuites(suites(), []string{"lint", "drift"})
	if err != nil || len(commands) == 0 {
		return chosen, err
	}
	return append(chosen, suite{
		name: "unit", needs: []need{needEnvoy, needPrometheus, needPackagers},
		commands: func(checkout) ([]command, error) { return commands, nil },
	}), nil
}

// affectedTests returns the folders of one module whose unit tests and golden tests changed files can affect.
func affectedTests(ctx context.Context, root, module string, files []string) ([]string, error) {
	listed, err := affected.List(ctx, module)
	if err != nil {
		return nil, err
	}
	tested, err := findPackages(module)
	if err != nil {
		return nil, err
	}
	prefix, err := filepath.Rel(root, module)
	if err != nil {
		return nil, err
	}
	var own []string
	for _, file := range files {
		if relative, err := filepath.Rel(prefix, file); err == nil && !strings.HasPrefix(relative, "..") {
			own = append(own, filepath.ToSlash(relative))
		}
	}
	folders := affected.Folders(listed, own)
	return selectDirs(tested, func(p testPackage) bool {
		return slices.Contains(folders, strings.TrimPrefix(p.dir, "./")) && !p.envtest && !inE2E(p)
	}), nil
}

// changedFiles returns the files of a checkout that differ from those of a commit, committed or not.
func changedFiles(ctx context.Context, root, since string) ([]string, error) {
	var files []string
	for _, args := range [][]string{{"git", "diff", "--name-only", since}, {"git", "ls-files", "--others", "--exclude-standard"}} {
		text, err := runPlain(ctx, command{dir: root, args: args}, nil)
		if err != nil {
			return nil, fmt.Errorf("%w\n%s", err, text)
		}
		files = append(files, strings.Fields(text)...)
	}
	return files, nil
}

// forkPoint returns the commit where the current branch left main, or the earlier commit on main itself.
func forkPoint(ctx context.Context, root string) string {
	for _, main := range []string{"origin/main", "main"} {
		base, err := runPlain(ctx, command{dir: root, args: []string{"git", "merge-base", "HEAD", main}}, nil)
		if err != nil {
			continue
		}
		head, err := runPlain(ctx, command{dir: root, args: []string{"git", "rev-parse", "HEAD"}}, nil)
		if err == nil && base != head {
			return strings.TrimSpace(base)
		}
	}
	return "HEAD~1"
}

// goldenWord is part of the test names of the golden suite, and the pattern that selects them.
const goldenWord = "Golden"

// testFunction matches the names of tests, fuzz tests and examples, but not of TestMain.
var testFunction = regexp.MustCompile(`(?m)^func ((?:Test|Fuzz|Example)\w*)\(`)

// testPackage is a folder of a module with tests.
type testPackage struct {
	// dir is the folder relative to the module, such as ./internal/mesh/catalog.
	dir string
	// tested is true if it has a test file.
	tested bool
	// envtest is true if a test file imports a package named envtest.
	envtest bool
	// golden is true if a test has Golden in its name, unit if another test exists.
	golden, unit bool
	// fuzz are the names of the fuzz tests.
	fuzz []string
	// concurrent is true if a file of the package, with or without tests, starts goroutines or guards something against them.
	concurrent bool
}

// concurrency matches what a package writes only if several goroutines run it.
var concurrency = regexp.MustCompile(`(?m)^\s*go \w|<-|\bsync\.(?:Mutex|RWMutex|WaitGroup|Map|Cond)\b|"sync/atomic"|"golang\.org/x/sync/|\bt\.Parallel\(\)`)

// findPackages returns the packages with tests below a module's root, sorted, without nested modules.
func findPackages(root string) ([]testPackage, error) {
	found := map[string]testPackage{}
	err := filepath.WalkDir(root, func(file string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			return skipFolder(root, file, entry.Name())
		}
		if !strings.HasSuffix(file, ".go") {
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
	maps.DeleteFunc(found, func(_ string, p testPackage) bool { return !p.tested })
	return slices.SortedFunc(maps.Values(found), func(a, b testPackage) int { return strings.Compare(a.dir, b.dir) }), nil
}

// skipFolder returns fs.SkipDir for nested modules and for folders that the go command ignores.
func skipFolder(root, dir, name string) error {
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

// classify updates what is known about a package from one file.
func classify(p testPackage, file string) (testPackage, error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return p, err
	}
	p.concurrent = p.concurrent || concurrency.Match(content)
	if !strings.HasSuffix(file, "_test.go") {
		return p, nil
	}
	p.tested = true
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
		if strings.HasPrefix(name, "Fuzz") {
			p.fuzz = append(p.fuzz, name)
		}
	}
	return p, nil
}

// selectDirs returns the folders of the packages that pick selects.
func selectDirs(packages []testPackage, pick func(testPackage) bool) []string {
	var dirs []string
	for _, p := range packages {
		if pick(p) {
			dirs = append(dirs, p.dir)
		}
	}
	return dirs
}

// inE2E reports whether the package is below e2e.
func inE2E(p testPackage) bool { return p.dir == "./e2e" || strings.HasPrefix(p.dir, "./e2e/") }

// isUnit reports whether the package has unit tests.
func (p testPackage) isUnit() bool { return p.unit && !p.envtest && !inE2E(p) }
