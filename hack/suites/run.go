package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"syscall"
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
	// nice lets programs of other suites come first.
	nice bool
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
			if c.goTest && !slices.Contains(c.flags, oneAtATime) {
				c = c.with(longestFirst(s.name, c.packages, r.budget.Seconds))
			}
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
	c.nice = r.nice
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

// gracePeriod is how long a program may take to exit after SIGTERM, so that it can stop its own children.
const gracePeriod = 20 * time.Second

// niceness is the priority of programs beside others that come first. Those with a deadline of seconds still meet it.
const niceness = "5"

// newCommand returns a command whose process group gets SIGTERM when the context ends, and SIGKILL after the grace
// period.
func newCommand(ctx context.Context, c command, env []string) *exec.Cmd {
	args := c.args
	if c.nice {
		args = append([]string{"nice", "-n", niceness}, args...)
	}
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Dir = c.dir
	cmd.Env = slices.Concat(os.Environ(), env, c.env)
	if slices.Contains(c.args, "-race") {
		// The race detector needs cgo, which the Makefile disables. It lets each test binary sleep at the end, by default for a second.
		cmd.Env = append(cmd.Env, "CGO_ENABLED=1", "GORACE=atexit_sleep_ms=100")
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = gracePeriod
	return cmd
}

// killGroup kills the remaining processes of a command's process group. An empty group is no error.
func killGroup(cmd *exec.Cmd) {
	if cmd.Process != nil {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	}
}

// runPlain runs a command and returns its output.
func runPlain(ctx context.Context, c command, env []string) (string, error) {
	cmd := newCommand(ctx, c, env)
	defer killGroup(cmd)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("`%s` failed: %w", strings.Join(c.args, " "), causeOf(ctx, err))
	}
	return out.String(), nil
}

// runGoTest runs a command that prints the events of go test into a tally, and prints a line per finished package.
func runGoTest(ctx context.Context, c command, env []string, t *tally, progress io.Writer) error {
	cmd := newCommand(ctx, c, env)
	defer killGroup(cmd)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	readErr := readEvents(stdout, t, progress)
	err = cmd.Wait()
	if ctx.Err() != nil {
		return causeOf(ctx, err)
	}
	if readErr != nil {
		return readErr
	}
	if err != nil && t.counts().failed == 0 {
		return fmt.Errorf("`%s` failed without a failing test: %w\n%s", strings.Join(c.args[:4], " "), err, stderr.String())
	}
	return nil
}

// readEvents reads lines until EOF. Lines that are not events are printed.
func readEvents(r io.Reader, t *tally, progress io.Writer) error {
	lines := bufio.NewReader(r)
	for {
		line, err := lines.ReadBytes('\n')
		var e event
		switch {
		case len(line) == 0:
		case json.Unmarshal(line, &e) != nil:
			fmt.Fprintf(progress, "  %s", line)
		case t.add(e):
			fmt.Fprintf(progress, "  %-5s %s  %.1fs\n", e.Action, e.Package, e.Elapsed)
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// errTimeLimitExceeded is the cause of a context whose suite exceeded its time limit.
var errTimeLimitExceeded = errors.New("it exceeded its time limit in hack/budget.yaml")

// causeOf returns the cause of an ended context instead of the error of the program that was killed for it.
func causeOf(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

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
			t.markFlaky(name, output)
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

// markFlaky turns a failed test into a flaky one.
func (t *tally) markFlaky(name, output string) {
	for key, result := range t.results {
		if result == "fail" && (key == name || strings.HasPrefix(key, name+"/")) {
			t.results[key] = "pass"
			delete(t.output, key)
		}
	}
	t.flaky = append(t.flaky, failedTest{name, output})
}
