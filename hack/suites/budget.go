package main

import (
	"fmt"
	"os"
	"slices"
	"time"

	"sigs.k8s.io/yaml"
)

// budget is the content of hack/budget.yaml.
type budget struct {
	// Suites sets the time limits of each suite, including "prepare".
	Suites map[string]timeLimit `json:"suites"`
	// Total limits the sum of all suites. A run of single suites has no total.
	Total timeLimit `json:"total"`
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
	if b.Total.Test <= 0 || b.Total.Full <= 0 {
		return budget{}, fmt.Errorf("%s has no limit for the sum of all suites: add total: {test: SECONDS, full: SECONDS}", file)
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

// exceeded returns an error if all suites together took longer than their total.
func (b budget) exceeded(duration time.Duration, full bool) error {
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
