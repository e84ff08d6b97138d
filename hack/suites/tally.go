package main

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"sigs.k8s.io/yaml"
)

// event is one line of `go test -json`.
type event struct {
	Action     string
	Package    string
	ImportPath string
	Test       string
	Output     string
	Elapsed    float64
}

// tally collects the events of one run.
type tally struct {
	// results maps package and test, joined by a dot, to pass, fail or skip.
	results map[string]string
	// output keeps the output of tests and packages until they pass.
	output map[string][]string
	// broken are packages that failed without a failing test: a build error, a panic or a timeout.
	broken []string
	// commands maps each package to the command that tested it, which is the current one for new events.
	commands map[string]command
	current  command
	// packages are the packages that ended, and tests the tests without subtests, with their durations.
	packages, tests []timed
	// flaky are the tests that failed once and passed when they were repeated, sorted, and the failures as they were.
	flaky []failedTest
}

// failedTest is a test with the output of its failure.
type failedTest struct{ name, output string }

// timed is a package or a test that ended.
type timed struct {
	name    string
	seconds float64
}

func newTally() *tally {
	return &tally{results: map[string]string{}, output: map[string][]string{}, commands: map[string]command{}}
}

// add records one event. It returns true if the event ends a package.
func (t *tally) add(e event) bool {
	key := e.Package
	t.commands[e.Package] = t.current
	switch {
	case e.Test != "":
		key += "." + e.Test
	case e.ImportPath != "":
		// Build output. Its path may have a test variant in brackets.
		key, _, _ = strings.Cut(e.ImportPath, " ")
	}
	switch e.Action {
	case "output", "build-output":
		t.output[key] = append(t.output[key], e.Output)
	case "pass", "fail", "skip":
		if e.Action == "pass" {
			delete(t.output, key)
		}
		if e.Test != "" {
			t.results[key] = e.Action
			if !strings.Contains(e.Test, "/") {
				t.tests = append(t.tests, timed{key, e.Elapsed})
			}
			return false
		}
		if e.Action == "fail" && !t.anyFailed(e.Package) {
			t.broken = append(t.broken, e.Package)
		}
		t.packages = append(t.packages, timed{e.Package, e.Elapsed})
		return true
	}
	return false
}

func (t *tally) anyFailed(pkg string) bool {
	for key, verdict := range t.results {
		if verdict == "fail" && strings.HasPrefix(key, pkg+".") {
			return true
		}
	}
	return false
}

// counts are the numbers of tests by result.
type counts struct{ passed, failed, skipped int }

func (c counts) total() int { return c.passed + c.failed + c.skipped }

// counts counts tests without subtests, and tests that failed although all their subtests passed.
func (t *tally) counts() counts {
	var c counts
	keys := t.sorted()
	for i, key := range keys {
		children, childFailed := false, false
		for _, other := range keys[i+1:] {
			if !strings.HasPrefix(other, key) {
				break
			}
			if strings.HasPrefix(other, key+"/") {
				children = true
				childFailed = childFailed || t.results[other] == "fail"
			}
		}
		if children && (t.results[key] != "fail" || childFailed) {
			continue
		}
		switch t.results[key] {
		case "pass":
			c.passed++
		case "fail":
			c.failed++
		case "skip":
			c.skipped++
		}
	}
	c.failed += len(t.broken)
	return c
}

// skipped returns the sorted names of skipped tests.
func (t *tally) skipped() []string {
	return slices.DeleteFunc(t.sorted(), func(key string) bool { return t.results[key] != "skip" })
}

// failed returns everything that failed, tests before packages, each in sorted order, as far as it has output.
func (t *tally) failed() []failedTest {
	var list []failedTest
	add := func(name, key string) {
		if text := strings.Join(t.output[key], ""); text != "" {
			list = append(list, failedTest{name, text})
		}
	}
	for _, key := range t.sorted() {
		if t.results[key] == "fail" {
			add(key, key)
		}
	}
	slices.Sort(t.broken)
	for _, pkg := range t.broken {
		add(pkg, pkg)
		for _, key := range t.unfinished(pkg) {
			add(key, key)
		}
		// A test package that does not build is reported under its path with a suffix.
		add(pkg, pkg+"_test")
		add(pkg, pkg+".test")
	}
	return list
}

// unfinished returns the tests of a package without a result, because the package panicked or was killed.
func (t *tally) unfinished(pkg string) []string {
	var keys []string
	for key := range t.output {
		if strings.HasPrefix(key, pkg+".Test") && t.results[key] == "" {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}

func (t *tally) sorted() []string {
	return slices.Sorted(maps.Keys(t.results))
}

// budget is the content of hack/budget.yaml.
type budget struct {
	// Suites sets the time limits of each suite, including "prepare".
	Suites map[string]timeLimit `json:"suites"`
	// Total limits the sum of all suites. A run of single suites has no total.
	Total timeLimit `json:"total"`
	// Shard limits one of several parts of a full run, in seconds.
	Shard int `json:"shard"`
	// Seconds are the measured times of long packages in make test-full, by suite and folder. They divide a run into shards of about the same length.
	Seconds map[string]int `json:"seconds,omitempty"`
	// Lines are how many lines of code the folders of the product may have, without tests, comments, empty lines and generated files.
	Lines map[string]int `json:"lines,omitempty"`
	// Skips are the tests that may be skipped.
	Skips []skip `json:"skips,omitempty"`
}

// timeLimit is the time limit of a suite, in seconds.
type timeLimit struct {
	// Test is the limit in `make test`.
	Test int `json:"test"`
	// Full is the limit in `make test-full`.
	Full int `json:"full"`
}

// skip allows one test to be skipped.
type skip struct {
	// Test is the import path of the package, a dot, and the name of the test.
	Test string `json:"test"`
	// RunsInFull is true if the test may be skipped in `make test`, but not in `make test-full`.
	RunsInFull bool `json:"runsInFull,omitempty"`
	// Reason explains why the run does not need this test.
	Reason string `json:"reason"`
}

// readBudget reads and validates the file.
func readBudget(file string) (budget, error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return budget{}, fmt.Errorf("cannot read the budget: %w", err)
	}
	return parseBudget(file, content)
}

func parseBudget(file string, content []byte) (budget, error) {
	var b budget
	if err := yaml.UnmarshalStrict(content, &b); err != nil {
		return budget{}, fmt.Errorf("%s is not a valid budget: %w", file, err)
	}
	for _, name := range append([]string{prepareName}, suiteNames()...) {
		if a := b.Suites[name]; a.Test <= 0 || a.Full <= 0 {
			return budget{}, fmt.Errorf("%s has no time limit for the suite %s: add suites.%s: {test: SECONDS, full: SECONDS}", file, name, name)
		}
	}
	if b.Total.Test <= 0 || b.Total.Full <= 0 || b.Shard <= 0 {
		return budget{}, fmt.Errorf("%s has no limit for all suites together, or for a shard of them: add total: {test: SECONDS, full: SECONDS} and shard: SECONDS", file)
	}
	for _, s := range b.Skips {
		if s.Test == "" || s.Reason == "" {
			return budget{}, fmt.Errorf("%s has a skip with test %q and reason %q: both are required", file, s.Test, s.Reason)
		}
	}
	return b, nil
}

// limit returns the time limit of the suite.
func (b budget) limit(suite string, full bool) time.Duration {
	return b.Suites[suite].of(full)
}

// of returns the limit of `make test-full` or `make test`.
func (l timeLimit) of(full bool) time.Duration {
	if full {
		return time.Duration(l.Full) * time.Second
	}
	return time.Duration(l.Test) * time.Second
}

// exceeded returns an error if all suites together took longer than their total, or a shard longer than its limit.
func (b budget) exceeded(duration time.Duration, full, shard bool) error {
	if limit := time.Duration(b.Shard) * time.Second; shard && duration > limit {
		return fmt.Errorf("the shard took %s, more than the limit of %s in hack/budget.yaml: correct the times of its packages there, or divide the run into more shards",
			duration.Round(time.Second), limit)
	}
	if shard {
		return nil
	}
	if total := b.Total.of(full); duration > total {
		return fmt.Errorf("all suites together took %s, more than the total of %s in hack/budget.yaml: make the slowest tests faster, or let only make test-full run them",
			duration.Round(time.Second), total)
	}
	return nil
}

// maySkip reports whether the budget allows the test to be skipped. full is true in `make test-full`.
func (b budget) maySkip(test string, full bool) bool {
	return slices.ContainsFunc(b.Skips, func(s skip) bool { return s.Test == test && (!full || !s.RunsInFull) })
}
