package main

import (
	"slices"
	"strings"
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
	// verdicts maps package and test, joined by a dot, to pass, fail or skip.
	verdicts map[string]string
	// output keeps what tests and packages printed until they pass.
	output map[string][]string
	// broken are packages that failed without a failing test: they did not build, panicked or ran out of time.
	broken []string
}

func newTally() *tally {
	return &tally{verdicts: map[string]string{}, output: map[string][]string{}}
}

// add takes one event. It returns true when the event ends a package.
func (t *tally) add(e event) bool {
	key := e.Package
	switch {
	case e.Test != "":
		key += "." + e.Test
	case e.ImportPath != "":
		// Output of a build. Its path may carry the test variant in brackets.
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
			t.verdicts[key] = e.Action
			return false
		}
		if e.Action == "fail" && !t.anyFailed(e.Package) {
			t.broken = append(t.broken, e.Package)
		}
		return true
	}
	return false
}

func (t *tally) anyFailed(pkg string) bool {
	for key, verdict := range t.verdicts {
		if verdict == "fail" && strings.HasPrefix(key, pkg+".") {
			return true
		}
	}
	return false
}

// counts are the numbers of a run.
type counts struct{ passed, failed, skipped int }

func (c counts) total() int { return c.passed + c.failed + c.skipped }

// counts counts the tests without subtests, and tests that failed although none of their subtests did.
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
				childFailed = childFailed || t.verdicts[other] == "fail"
			}
		}
		if children && (t.verdicts[key] != "fail" || childFailed) {
			continue
		}
		switch t.verdicts[key] {
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

// skipped returns the sorted names of the skipped tests.
func (t *tally) skipped() []string {
	return slices.DeleteFunc(t.sorted(), func(key string) bool { return t.verdicts[key] != "skip" })
}

// failures returns what everything that failed printed, tests before packages, each in sorted order.
func (t *tally) failures() []string {
	var texts []string
	for _, key := range t.sorted() {
		if t.verdicts[key] == "fail" {
			texts = append(texts, strings.Join(t.output[key], ""))
		}
	}
	slices.Sort(t.broken)
	for _, pkg := range t.broken {
		texts = append(texts, strings.Join(t.output[pkg], ""))
		for _, key := range t.unfinished(pkg) {
			texts = append(texts, strings.Join(t.output[key], ""))
		}
		// A test package that does not build reports under the path with the suffix.
		for _, variant := range []string{pkg + "_test", pkg + ".test"} {
			texts = append(texts, strings.Join(t.output[variant], ""))
		}
	}
	return slices.DeleteFunc(texts, func(s string) bool { return s == "" })
}

// unfinished returns the tests of a package that began and never ended, because the package panicked or was killed.
func (t *tally) unfinished(pkg string) []string {
	var keys []string
	for key := range t.output {
		if strings.HasPrefix(key, pkg+".Test") && t.verdicts[key] == "" {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}

func (t *tally) sorted() []string {
	keys := make([]string, 0, len(t.verdicts))
	for key := range t.verdicts {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}
