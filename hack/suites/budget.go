package main

import (
	"fmt"
	"os"
	"time"

	"sigs.k8s.io/yaml"
)

// budget is the content of hack/budget.yaml.
type budget struct {
	// Suites gives each suite its time; "prepare" is what comes before the suites.
	Suites map[string]allowance `json:"suites"`
	// Skips are the tests that may be skipped.
	Skips []skip `json:"skips,omitempty"`
}

// allowance is the time of a suite, in seconds.
type allowance struct {
	// Test is the time in `make test`.
	Test int `json:"test"`
	// Full is the time in `make test-full`.
	Full int `json:"full"`
}

// skip allows one test to be skipped.
type skip struct {
	// Test is the import path of its package, a dot, and its name.
	Test string `json:"test"`
	// Reason says why the project may be released although this test did not run.
	Reason string `json:"reason"`
}

// readBudget reads and checks the file.
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
		return budget{}, fmt.Errorf("%s is not a budget: %w", file, err)
	}
	for _, name := range append([]string{prepareName}, suiteNames()...) {
		if a := b.Suites[name]; a.Test <= 0 || a.Full <= 0 {
			return budget{}, fmt.Errorf("%s gives the suite %s no time: write suites.%s: {test: SECONDS, full: SECONDS}", file, name, name)
		}
	}
	for _, s := range b.Skips {
		if s.Test == "" || s.Reason == "" {
			return budget{}, fmt.Errorf("%s allows the skip of %q because of %q: write both a test and a reason", file, s.Test, s.Reason)
		}
	}
	return b, nil
}

// limit returns the time that the suite has.
func (b budget) limit(suite string, full bool) time.Duration {
	a := b.Suites[suite]
	if full {
		return time.Duration(a.Full) * time.Second
	}
	return time.Duration(a.Test) * time.Second
}

// maySkip reports whether the budget allows the test to be skipped.
func (b budget) maySkip(test string) bool {
	for _, s := range b.Skips {
		if s.Test == test {
			return true
		}
	}
	return false
}
