package main

import (
	"context"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
)

// repeatLimit is the number of failed tests that are repeated at most. More of them have a common cause.
const repeatLimit = 3

// repeat runs failed tests a second time, each alone; if one subtest failed, only that one. A test that passes then counts as flaky: it is
// listed with its first failure, but does not fail `make test`. Property tests repeat the values that failed. A release does not tolerate
// flaky tests, and a data race is a defect even if it is rare.
func (r runner) repeat(ctx context.Context, t *tally) {
	failed := t.topLevelFailures()
	if r.checkout.full || len(t.broken) > 0 || len(failed) > repeatLimit {
		return
	}
	for _, name := range failed {
		if output := t.outputOf(name); !strings.Contains(output, "DATA RACE") && r.passesAgain(ctx, t, name) {
			t.forgive(name, output)
		}
	}
}

// passesAgain repeats what failed of a test and reports whether it passed.
func (r runner) passesAgain(ctx context.Context, t *tally, name string) bool {
	key := t.smallestFailure(name)
	pkg, test := t.split(key)
	first := t.commands[pkg]
	again := newTally()
	fmt.Fprintf(r.out, "repeating %s\n", key)
	flags := append(slices.Clone(first.flags), "-count=1", "-run", runPattern(test))
	err := runGoTest(ctx, goTest(first.dir, []string{pkg}, flags...), r.env, again, io.Discard)
	return err == nil && again.results[key] == "pass"
}

// runPattern returns the value of the flag -run that selects one test or subtest.
func runPattern(test string) string {
	parts := strings.Split(test, "/")
	for i, part := range parts {
		parts[i] = "^" + regexp.QuoteMeta(part) + "$"
	}
	return strings.Join(parts, "/")
}

// smallestFailure returns the direct subtest of a failed test that failed, or the test itself if that is not exactly one: several
// failures may be consequences of the first.
func (t *tally) smallestFailure(name string) string {
	failed := slices.DeleteFunc(t.sorted(), func(key string) bool {
		subtest, ok := strings.CutPrefix(key, name+"/")
		return !ok || strings.Contains(subtest, "/") || t.results[key] != "fail"
	})
	if len(failed) == 1 {
		return failed[0]
	}
	return name
}

// split returns the package and the test of a key of the results.
func (t *tally) split(key string) (pkg, test string) {
	for pkg := range t.commands {
		if test, ok := strings.CutPrefix(key, pkg+"."); ok {
			return pkg, test
		}
	}
	return "", key
}

// topLevelFailures returns the failed tests without subtests.
func (t *tally) topLevelFailures() []string {
	return slices.DeleteFunc(t.sorted(), func(key string) bool {
		_, test := t.split(key)
		return t.results[key] != "fail" || strings.Contains(test, "/")
	})
}

// outputOf returns the output of a test and its subtests.
func (t *tally) outputOf(name string) string {
	var text strings.Builder
	for _, key := range t.sorted() {
		if key == name || strings.HasPrefix(key, name+"/") {
			text.WriteString(strings.Join(t.output[key], ""))
		}
	}
	return text.String()
}

// forgive turns a failed test into a flaky one.
func (t *tally) forgive(name, output string) {
	for key, result := range t.results {
		if result == "fail" && (key == name || strings.HasPrefix(key, name+"/")) {
			t.results[key] = "pass"
			delete(t.output, key)
		}
	}
	t.flaky = append(t.flaky, failedTest{name, output})
}
