package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// outcome is the result of one suite.
type outcome struct {
	name string
	// err is nil if the suite passed.
	err      error
	duration time.Duration
	limit    time.Duration
	counts   counts
	// tests is true if the suite consists of tests, so that its counts are meaningful.
	tests bool
	// failed and flaky are the tests that failed, and those that failed once.
	failed, flaky []failedTest
	// packages are the packages that were tested, and timings their tests without subtests.
	packages, timings []timed
}

// runner runs suites one after the other.
type runner struct {
	checkout checkout
	budget   budget
	// env are the environment variables set by the preparation.
	env []string
	out io.Writer
	now func() time.Time
}

// runLimited runs a function within the time limit of a suite.
func (r runner) runLimited(ctx context.Context, name string, f func(context.Context, *outcome) error) outcome {
	o := outcome{name: name, limit: r.budget.limit(name, r.checkout.full)}
	fmt.Fprintf(r.out, "== %s (at most %.0fs)\n", name, o.limit.Seconds())
	ctx, cancel := context.WithTimeoutCause(ctx, o.limit, errTimeLimitExceeded)
	defer cancel()
	begin := r.now()
	o.err = f(ctx, &o)
	o.duration = r.now().Sub(begin)
	if o.err != nil {
		fmt.Fprintf(r.out, "== %s failed: %v\n", name, o.err)
	}
	return o
}

// run runs one suite, unless one of its needs is missing.
func (r runner) run(ctx context.Context, s suite, missing error) outcome {
	return r.runLimited(ctx, s.name, func(ctx context.Context, o *outcome) error {
		if missing != nil {
			return missing
		}
		commands, err := s.commands(r.checkout)
		if err != nil {
			return err
		}
		t := newTally()
		var failed []error
		for _, c := range commands {
			t.current = c
			failed = append(failed, r.runCommand(ctx, c, t))
			o.tests = o.tests || c.goTest
		}
		r.repeat(ctx, t)
		o.counts, o.failed, o.flaky = t.counts(), t.failed(), t.flaky
		o.packages, o.timings = t.packages, t.tests
		for _, test := range slices.Concat(o.flaky, o.failed) {
			fmt.Fprint(r.out, test.output)
		}
		return errors.Join(append(failed, r.checkTally(*o, t))...)
	})
}

func (r runner) runCommand(ctx context.Context, c command, t *tally) error {
	if c.goTest {
		return runGoTest(ctx, c, r.env, t, r.out)
	}
	text, err := runPlain(ctx, c, r.env)
	fmt.Fprint(r.out, text)
	return err
}

// checkTally checks for failures that the tests themselves do not report.
func (r runner) checkTally(o outcome, t *tally) error {
	if !o.tests {
		return nil
	}
	var problems []error
	if o.counts.total() == 0 {
		problems = append(problems, errors.New("it ran no test"))
	}
	if o.counts.failed > 0 {
		problems = append(problems, fmt.Errorf("%s failed", pluralize(o.counts.failed, "test")))
	}
	for _, test := range t.skipped() {
		if !r.budget.maySkip(test, r.checkout.full) {
			why := strings.TrimSpace(strings.Join(t.output[test], ""))
			problems = append(problems, fmt.Errorf("%s was skipped, which hack/budget.yaml does not allow: %s", test, why))
		}
	}
	return errors.Join(problems...)
}
