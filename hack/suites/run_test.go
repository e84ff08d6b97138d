package main

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
)

func commandLines(commands []command) []string {
	var lines []string
	for _, c := range commands {
		lines = append(lines, strings.Join(c.args, " "))
	}
	return lines
}

// module is a Go module with tests that pass, fail, skip, hang and do not build.
var module = map[string]string{
	"go.mod": "module example.com/m\n\ngo 1.26\n",
	"good/good_test.go": `package good
import "testing"
func TestOne(t *testing.T) {}
func TestTwo(t *testing.T) { t.Run("a", func(t *testing.T) {}); t.Run("b", func(t *testing.T) {}) }
`,
	"bad/bad_test.go": `package bad
import "testing"
func TestBad(t *testing.T) { t.Error("the sum is wrong") }
`,
	"skipped/skipped_test.go": `package skipped
import "testing"
func TestSkipped(t *testing.T) { t.Skip("not supported here") }
`,
	"broken/broken_test.go": `package broken
var x int = "text"
`,
	"hangs/hangs_test.go": `package hangs
import ("testing"; "time")
func TestHangs(t *testing.T) { time.Sleep(time.Hour) }
`,
	"empty/empty_test.go": `package empty
`,
	"flaky/flaky_test.go": `package flaky
import ("os"; "testing")
func TestFlaky(t *testing.T) {
	t.Run("v1.2", func(t *testing.T) {
		if _, err := os.Stat("ran"); err != nil { os.WriteFile("ran", nil, 0o600); t.Error("only the first run fails") }
	})
}
`,
	"dependent/dependent_test.go": `package dependent
import ("os"; "testing")
func TestDependent(t *testing.T) {
	t.Run("first", func(t *testing.T) {
		if _, err := os.Stat("ran"); err != nil { os.WriteFile("ran", nil, 0o600); t.Error("only the first run fails") }
		os.WriteFile("made", nil, 0o600)
	})
	t.Run("second", func(t *testing.T) {
		if _, err := os.Stat("again"); err != nil { os.WriteFile("again", nil, 0o600); t.Error("only the first run fails") }
		if err := os.Remove("made"); err != nil { t.Error(err) }
	})
	t.Run("third", func(t *testing.T) {})
}
`,
}

// runPackage runs the tests of one package of the module as the suite unit.
func runPackage(t *testing.T, pkg string, b budget) (outcome, string) {
	t.Helper()
	root := writeTree(t, module)
	var out bytes.Buffer
	r := runner{checkout: checkout{root: root}, budget: b, out: &out, now: time.Now, env: []string{"GOFLAGS=", "GOWORK=off"}}
	s := suite{name: "unit", commands: func(c checkout) ([]command, error) {
		return []command{goTest(c.root, []string{"./" + pkg})}, nil
	}}
	return r.run(t.Context(), s, nil), out.String()
}

func budgetOf(n int) budget {
	return budget{Suites: map[string]timeLimit{"unit": {Test: n, Full: n}}}
}

func TestRunReportsSuiteResult(t *testing.T) {
	allowed := budgetOf(60)
	allowed.Skips = []skip{{Test: "example.com/m/skipped.TestSkipped", Reason: "not supported"}}
	tests := map[string]struct {
		pkg    string
		budget budget
		counts counts
		// wantError must be in the error, and printed in the output; both are empty if the suite passes.
		wantError, printed string
	}{
		"passes":         {"good", budgetOf(60), counts{passed: 3}, "", ""},
		"fails":          {"bad", budgetOf(60), counts{failed: 1}, "1 test failed", "the sum is wrong"},
		"skips":          {"skipped", budgetOf(60), counts{skipped: 1}, "example.com/m/skipped.TestSkipped was skipped", ""},
		"skips, allowed": {"skipped", allowed, counts{skipped: 1}, "", ""},
		"is flaky":       {"flaky", budgetOf(60), counts{passed: 1}, "", "only the first run fails"},
		"is flaky twice": {"dependent", budgetOf(60), counts{passed: 3}, "", "only the first run fails"},
		"does not build": {"broken", budgetOf(60), counts{failed: 1}, "1 test failed", "cannot use \"text\""},
		"has no test":    {"empty", budgetOf(60), counts{}, "ran no test", ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o, printed := runPackage(t, tt.pkg, tt.budget)
			if o.counts != tt.counts {
				t.Errorf("counts are %+v, want %+v", o.counts, tt.counts)
			}
			if tt.wantError == "" && o.err != nil {
				t.Errorf("the suite failed: %v", o.err)
			}
			if tt.wantError != "" && (o.err == nil || !strings.Contains(o.err.Error(), tt.wantError)) {
				t.Errorf("the error is %v, want %q in it", o.err, tt.wantError)
			}
			if !strings.Contains(printed, tt.printed) {
				t.Errorf("the output does not contain %q:\n%s", tt.printed, printed)
			}
		})
	}
}

func TestOnlyTheFailedPartIsRepeated(t *testing.T) {
	for pkg, want := range map[string]string{
		"flaky":     "repeating example.com/m/flaky.TestFlaky/v1.2\n",
		"dependent": "repeating example.com/m/dependent.TestDependent\n",
		"bad":       "repeating example.com/m/bad.TestBad\n",
	} {
		if _, printed := runPackage(t, pkg, budgetOf(60)); !strings.Contains(printed, want) {
			t.Errorf("%s printed %q, want %q in it", pkg, printed, want)
		}
	}
}

func TestFlakyTestFailsFullRun(t *testing.T) {
	root := writeTree(t, module)
	r := runner{checkout: checkout{root: root, full: true}, budget: budgetOf(60), out: &bytes.Buffer{}, now: time.Now, env: []string{"GOFLAGS=", "GOWORK=off"}}
	s := suite{name: "unit", commands: func(c checkout) ([]command, error) {
		return []command{goTest(c.root, []string{"./flaky"})}, nil
	}}
	if o := r.run(t.Context(), s, nil); o.err == nil || len(o.flaky) > 0 {
		t.Errorf("the suite ended with %v and flaky tests %v, want a failure", o.err, o.flaky)
	}
}

func TestRunStopsSuiteAtTimeLimit(t *testing.T) {
	o, _ := runPackage(t, "hangs", budgetOf(5))
	if !errors.Is(o.err, errTimeLimitExceeded) {
		t.Errorf("the error is %v, want %v", o.err, errTimeLimitExceeded)
	}
	if o.duration > 5*time.Second+gracePeriod {
		t.Errorf("the suite ended after %s", o.duration)
	}
}

func TestRunFailsIfNeedIsMissing(t *testing.T) {
	missing := errors.New("there is no Envoy")
	r := runner{budget: budgetOf(60), out: &bytes.Buffer{}, now: time.Now}
	s := suite{name: "unit", commands: func(checkout) ([]command, error) {
		t.Error("the suite ran")
		return nil, nil
	}}
	if o := r.run(t.Context(), s, missing); !errors.Is(o.err, missing) {
		t.Errorf("the error is %v, want %v", o.err, missing)
	}
}

func TestInterruptStopsCommand(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	interrupted := errors.New("interrupted")
	cancel(interrupted)
	if _, err := runPlain(ctx, command{dir: t.TempDir(), args: []string{"sleep", "60"}}, nil); !errors.Is(err, interrupted) {
		t.Errorf("the error is %v, want %v", err, interrupted)
	}
}

// Only make test-full lints and tests the authorization server, whose dependencies take long to compile.
func TestAuthorizerIsInFullRuns(t *testing.T) {
	for _, full := range []bool{false, true} {
		c := checkout{root: "../..", full: full}
		for name, of := range map[string]func(checkout) ([]command, error){"lint": lint, "unit": unit} {
			commands, err := of(c)
			if err != nil {
				t.Fatal(err)
			}
			found := slices.ContainsFunc(commands, func(run command) bool { return run.dir == c.authorizer() || slices.Contains(run.args, c.authorizer()) })
			if found != full {
				t.Errorf("%s with full %t runs the authorizer: %t", name, full, found)
			}
		}
	}
}
