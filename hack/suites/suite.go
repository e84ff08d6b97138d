package main

import (
	"fmt"
	"path/filepath"
)

// prepareName is how the budget and the closing table call what comes before the suites.
const prepareName = "prepare"

// suite is one part of the project's tests.
type suite struct {
	// name is what the command line, the budget and the closing table call it.
	name string
	// needs are what must be there before it can run.
	needs []need
	// commands returns what to run, one after the other, all within the suite's time.
	commands func(c checkout) ([]command, error)
}

// checkout is where the suites run.
type checkout struct {
	// root is the root of the checkout, the folder of the product's module.
	root string
	// full is true in `make test-full`.
	full bool
}

// hack is the folder of the module of the developer's tools.
func (c checkout) hack() string { return filepath.Join(c.root, "hack") }

// fullVariable tells tests that they may take longer: those that run long scenarios in `make test-full` alone read it.
const fullVariable = "OSM_TEST_FULL=true"

// env are the variables that tell tests how they are run.
func (c checkout) env() []string {
	if c.full {
		return []string{fullVariable}
	}
	return nil
}

// command is one program that a suite runs.
type command struct {
	// dir is the folder it runs in.
	dir string
	// args are the program and its arguments.
	args []string
	// goTest is true when it prints the events of `go test -json`.
	goTest bool
}

// suites returns all suites, quick ones first.
func suites() []suite {
	return []suite{
		{name: "lint", needs: []need{needPackages, needLinter}, commands: lint},
		{name: "drift", needs: []need{needGenerators}, commands: drift},
		{name: "unit", needs: []need{needRacePackages, needEnvoy, needPrometheus}, commands: unit},
		{name: "golden", needs: []need{needPackages, needEnvoy}, commands: golden},
		{name: "envtest", needs: []need{needPackages, needAssets}, commands: envtests},
		{name: "e2e", needs: []need{needPackages, needCluster}, commands: e2e},
	}
}

func suiteNames() []string {
	var names []string
	for _, s := range suites() {
		names = append(names, s.name)
	}
	return names
}

func lint(c checkout) ([]command, error) {
	return []command{
		{dir: c.hack(), args: []string{"go", "run", "./tool", "golangci-lint", "run", "./..."}},
		{dir: c.hack(), args: []string{"go", "run", "./tool", "-C", c.hack(), "golangci-lint", "run", "./..."}},
	}, nil
}

func drift(c checkout) ([]command, error) {
	return []command{{dir: c.hack(), args: []string{"go", "run", "./generate", "-check"}}}, nil
}

func unit(c checkout) ([]command, error) {
	product, err := findPackages(c.root)
	if err != nil {
		return nil, err
	}
	tools, err := findPackages(c.hack())
	if err != nil {
		return nil, err
	}
	dirs := selectDirs(product, func(p testPackage) bool { return p.unit && !p.envtest && !inE2E(p) })
	args := []string{"-race", "-skip", goldenWord}
	if c.full {
		args = append(args, "-count=1")
	}
	return []command{
		goTest(c.root, dirs, args...),
		goTest(c.hack(), selectDirs(tools, func(testPackage) bool { return true })),
	}, nil
}

func golden(c checkout) ([]command, error) {
	return productTests(c, func(p testPackage) bool { return p.golden && !inE2E(p) }, "-run", goldenWord)
}

func envtests(c checkout) ([]command, error) {
	// One package at a time: each starts an API server of its own.
	return productTests(c, func(p testPackage) bool { return p.envtest && !inE2E(p) }, "-count=1", "-p=1", "-skip", goldenWord)
}

func e2e(c checkout) ([]command, error) {
	return productTests(c, inE2E, "-count=1", "-p=1")
}

// productTests is one run of the tests of the packages that the function picks.
func productTests(c checkout, pick func(testPackage) bool, args ...string) ([]command, error) {
	packages, err := findPackages(c.root)
	if err != nil {
		return nil, err
	}
	dirs := selectDirs(packages, pick)
	if len(dirs) == 0 {
		return nil, fmt.Errorf("no package below %s has a test of this suite", c.root)
	}
	return []command{goTest(c.root, dirs, args...)}, nil
}

// goTest is a run of go test. Its own timeout is off: the suite's time is the limit.
func goTest(dir string, packages []string, args ...string) command {
	all := append([]string{"go", "test", "-json", "-timeout=0"}, args...)
	return command{dir: dir, args: append(all, packages...), goTest: true}
}
