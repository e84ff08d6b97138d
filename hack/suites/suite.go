package main

import (
	"fmt"
	"path/filepath"
)

// prepareName is the name of the preparation in the budget and the table.
const prepareName = "prepare"

// suite is one part of the project's tests.
type suite struct {
	// name is the name on the command line, in the budget and in the table.
	name string
	// needs are the requirements of the suite.
	needs []need
	// commands returns the commands to run in sequence; their total time is limited.
	commands func(c checkout) ([]command, error)
	// alone is true if nothing else may run at the same time, and waits if the suite mostly waits for the cluster.
	alone, waits bool
}

// checkout is the checkout that the suites run in.
type checkout struct {
	// root is the folder of the product's module.
	root string
	// full is true in `make test-full`.
	full bool
	// seed is that of random values in long property tests; empty for others in each run.
	seed string
}

// hack returns the folder of the module of the developer tools.
func (c checkout) hack() string { return filepath.Join(c.root, "hack") }

// authorizer returns the folder of the module of the authorization server. Its dependencies take long to compile, so only
// `make test-full` lints and tests it.
func (c checkout) authorizer() string { return filepath.Join(c.hack(), "authorizer") }

// fullVariable enables long scenarios in tests that read it.
const fullVariable = "OSM_TEST_FULL=true"

// seedVariable is the seed of random values in long property tests (package internal/testing/seed).
const seedVariable = "OSM_TEST_SEED="

// env returns the variables that configure tests.
func (c checkout) env() []string {
	switch {
	case c.full:
		return []string{fullVariable}
	case c.seed != "":
		return []string{seedVariable + c.seed}
	}
	return nil
}

// command is one program that a suite runs.
type command struct {
	// dir is the working folder.
	dir string
	// args are the program and its arguments.
	args []string
	// goTest is true if the command prints the events of `go test -json`.
	goTest bool
	// flags are the flags of go test, and packages its last arguments.
	flags, packages []string
	// env are additional environment variables.
	env []string
	// nice is true if programs of other suites come first.
	nice bool
}

// with returns a run of go test with other packages, or in another order.
func (c command) with(packages []string) command {
	next := goTest(c.dir, packages, c.flags...)
	next.env, next.nice = c.env, c.nice
	return next
}

// suites returns all suites, fast ones first.
func suites() []suite {
	return []suite{
		{name: "lint", needs: []need{needPackages, needLinter}, commands: lint},
		{name: "drift", needs: []need{needGenerators}, commands: drift},
		{name: "realtime", needs: []need{needPackages, needEnvoy, needPrometheus}, commands: realTimeTests, alone: true},
		{name: "unit", needs: []need{needPackages, needRacePackages, needEnvoy, needPrometheus, needPackagers}, commands: unit},
		{name: "golden", needs: []need{needPackages, needEnvoy}, commands: golden},
		{name: "envtest", needs: []need{needPackages, needAssets, needPrometheus}, commands: envtests},
		{name: "e2e", needs: []need{needPackages, needCluster, needConformance}, commands: e2e, waits: true},
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
	commands := []command{
		{dir: c.hack(), args: []string{"go", "run", "./tool", "golangci-lint", "run", "--enable", "gosec", "./..."}},
		{dir: c.hack(), args: []string{"go", "run", "./tool", "-C", c.hack(), "golangci-lint", "run", "./..."}},
		{dir: c.hack(), args: []string{"go", "run", "./tool", "actionlint"}},
	}
	if c.full {
		commands = append(commands, command{dir: c.hack(), args: []string{"go", "run", "./tool", "-C", c.authorizer(), "golangci-lint", "run", "./..."}})
	}
	return commands, nil
}

func drift(c checkout) ([]command, error) {
	return []command{{dir: c.hack(), args: []string{"go", "run", "./generate", "-check"}}}, nil
}

// realTimeTests returns the tests with deadlines for real programs.
func realTimeTests(c checkout) ([]command, error) {
	product, err := findPackages(c.root)
	if err != nil {
		return nil, err
	}
	return unitTests(c, product, realTime), nil
}

// unitTests returns one run of go test for each group that has packages.
func unitTests(c checkout, product []testPackage, groups ...unitGroup) []command {
	var commands []command
	for _, group := range groups {
		dirs := selectDirs(product, func(p testPackage) bool { return p.isUnit() && groupOf(p) == group })
		if len(dirs) > 0 {
			commands = append(commands, goTest(c.root, dirs, group.flags(c.full)...))
		}
	}
	return commands
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
	commands := unitTests(c, product, concurrent, pure, sequential)
	commands = append(commands, goTest(c.hack(), selectDirs(tools, func(testPackage) bool { return true })))
	if c.full {
		commands = append(commands, goTest(c.authorizer(), []string{"./..."}))
		commands = append(commands, fuzz(c.root, product)...)
	}
	return commands, nil
}

// fuzzTime is how long each fuzz test draws new inputs in `make test-full`. Otherwise it runs its seeds only.
const fuzzTime = "30s"

// fuzz returns one run for each fuzz test: the go command fuzzes one at a time.
func fuzz(root string, packages []testPackage) []command {
	var commands []command
	for _, p := range packages {
		for _, name := range p.fuzz {
			commands = append(commands, goTest(root, []string{p.dir}, "-run", "^"+name+"$", "-fuzz", "^"+name+"$", "-fuzztime", fuzzTime))
		}
	}
	return commands
}

func golden(c checkout) ([]command, error) {
	return productTests(c, func(p testPackage) bool { return p.golden && !inE2E(p) }, "-run", goldenWord)
}

func envtests(c checkout) ([]command, error) {
	// Two packages at a time: each starts its own API server, and mostly waits for it.
	commands, err := productTests(c, func(p testPackage) bool { return p.envtest && !inE2E(p) }, "-count=1", "-p=2", "-skip", goldenWord)
	for i := range commands {
		// API servers have small heaps with many short-lived objects. They spend a fifth of their time on collecting garbage by default.
		// A slow machine needs longer than the default of 20 s until a server answers.
		commands[i].env = []string{"GOGC=300", "KUBEBUILDER_CONTROLPLANE_START_TIMEOUT=2m"}
	}
	return commands, err
}

// oneAtATime is the flag of tests that share a cluster.
const oneAtATime = "-p=1"

// e2e also checks that the API server rejected no request of the mesh for lack of permission, and lists permissions that no request needed.
func e2e(c checkout) ([]command, error) {
	commands, err := productTests(c, inE2E, "-count=1", oneAtATime)
	if err != nil {
		return nil, err
	}
	return append(commands, command{dir: c.hack(), args: []string{"go", "run", "./permissions", "-unused"}}), nil
}

// productTests returns one run of go test over the packages that pick selects.
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

// withoutSymbols are the linker's flags that leave out tables for debuggers. Linking the tests then takes about half of the time; stack traces stay complete.
const withoutSymbols = "-s -w"

// goTest returns a run of go test. Its timeout is off, because the suite's time limit applies, and so is vet, because the linters include it. The linker's
// flags can be replaced by later ones.
func goTest(dir string, packages []string, args ...string) command {
	all := append([]string{"go", "test", "-json", "-vet=off", "-timeout=0", "-ldflags=" + withoutSymbols}, args...)
	return command{dir: dir, args: append(all, packages...), goTest: true, flags: args, packages: packages}
}
