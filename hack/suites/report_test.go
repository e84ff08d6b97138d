package main

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/hack/internal/repo"
)

func TestLastLine(t *testing.T) {
	passed := []outcome{
		{name: prepareName},
		{name: "lint"},
		{name: "unit", tests: true, counts: counts{passed: 410, skipped: 2}},
	}
	failed := append(slices.Clone(passed), outcome{name: "e2e", tests: true, err: errors.New("no"), counts: counts{failed: 3}})
	flaky := append(slices.Clone(passed), outcome{name: "e2e", tests: true, counts: counts{passed: 3}, flaky: []failedTest{{"m.TestA", ""}}})
	tests := map[string]struct {
		outcomes []outcome
		want     string
	}{
		"all passed": {passed, "make test: PASS 2 suites, 412 tests, 18m20s"},
		"one flaky":  {flaky, "make test: PASS 3 suites, 415 tests (1 flaky), 18m20s"},
		"one failed": {failed, "make test: FAIL 3 suites, 415 tests, 18m20s (failed: e2e)"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := lastLine("make test", tt.outcomes, 1100*time.Second+200*time.Millisecond); got != tt.want {
				t.Errorf("the last line is %q, want %q", got, tt.want)
			}
		})
	}
}

func TestTableHasRowPerSuite(t *testing.T) {
	var b strings.Builder
	err := printTable(&b, []outcome{
		{name: "lint", duration: 61 * time.Second, limit: 420 * time.Second},
		{name: "unit", tests: true, err: errors.New("no"), counts: counts{passed: 7, failed: 1}, duration: 2 * time.Second, limit: 600 * time.Second},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := `SUITE  RESULT  SECONDS  BUDGET  PASSED  FAILED  SKIPPED
lint   PASS    61.0     420     -       -       -
unit   FAIL    2.0      600     7       1       0
`
	if b.String() != want {
		t.Errorf("the table is\n%s\nwant\n%s", b.String(), want)
	}
}

func TestFailuresAreExcerpted(t *testing.T) {
	var b strings.Builder
	long := "=== RUN TestA\n" + strings.Repeat("x", excerptWidth+1) + "\n" + strings.Repeat("y\n", 2*excerptLines)
	printFailures(&b, []outcome{{failed: []failedTest{{"m.TestA", long}}, flaky: []failedTest{{"m.TestB", "once\n"}}}})
	want := "failed: m.TestA\n  " + strings.Repeat("x", excerptWidth) + " ...\n" + strings.Repeat("  y\n", excerptLines-1) +
		"flaky, passed when repeated: m.TestB\n  once\n"
	if b.String() != want {
		t.Errorf("the failures are\n%s\nwant\n%s", b.String(), want)
	}
}

func TestSlowestPackagesAreShown(t *testing.T) {
	var b strings.Builder
	printSlowest(&b, []outcome{
		{packages: []timed{{repo.Module + "/internal/controlplane/xds", 12.4}, {repo.Module + "/internal/mesh/authz", 1}}},
		{packages: []timed{{repo.Module + "/e2e/pages", 300.6}}, timings: []timed{{repo.Module + "/e2e/pages.TestA", 300}}},
	})
	if want := "slowest packages: e2e/pages 301 s, internal/controlplane/xds 12 s, internal/mesh/authz 1 s\nslowest tests: e2e/pages.TestA 300 s\n"; b.String() != want {
		t.Errorf("printed %q, want %q", b.String(), want)
	}
}

func TestTheTotalIsLimited(t *testing.T) {
	b := budget{Total: timeLimit{Test: 60, Full: 120}, Shard: 80}
	if err := b.exceeded(time.Minute, false, false); err != nil {
		t.Errorf("a run within the total fails: %v", err)
	}
	if err := b.exceeded(90*time.Second, false, false); err == nil || !strings.Contains(err.Error(), "1m30s, more than the total of 1m0s") {
		t.Errorf("a run of 90 s ended with %v, want an error that names both times", err)
	}
	if err := b.exceeded(90*time.Second, true, true); err == nil || !strings.Contains(err.Error(), "the shard took 1m30s, more than the limit of 1m20s") {
		t.Errorf("90 seconds of a shard: %v", err)
	}
	if err := b.exceeded(70*time.Second, true, true); err != nil {
		t.Error(err)
	}
	if err := b.exceeded(90*time.Second, true, false); err != nil {
		t.Errorf("a full run within its total fails: %v", err)
	}
}

func TestSelectSuitesKeepsOrder(t *testing.T) {
	selected, err := selectSuites(suites(), []string{"e2e", "lint"})
	if err != nil || len(selected) != 2 || selected[0].name != "lint" || selected[1].name != "e2e" {
		t.Errorf("selected %v, %v; want lint, then e2e", selected, err)
	}
	if _, err := selectSuites(suites(), []string{"units"}); err == nil || !strings.Contains(err.Error(), "envtest") {
		t.Errorf("the error is %v, want the list of suites in it", err)
	}
}

func TestBudgetOfCheckoutIsValid(t *testing.T) {
	b, err := readBudget("../budget.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if b.limit("e2e", true) < b.limit("e2e", false) {
		t.Error("the limit of a full run is below that of a normal run")
	}
}

func TestParseBudgetRejectsIncompleteBudget(t *testing.T) {
	complete := "suites:\n"
	for _, name := range append([]string{prepareName}, suiteNames()...) {
		complete += "  " + name + ": {test: 1, full: 2}\n"
	}
	complete += "total: {test: 1, full: 2}\nshard: 3\n"
	if _, err := parseBudget("budget.yaml", []byte(complete)); err != nil {
		t.Fatalf("a complete budget is rejected: %v", err)
	}
	tests := map[string]string{
		"a suite without time":  strings.Replace(complete, "unit: {test: 1", "unit: {test: 0", 1),
		"no total":              strings.Replace(complete, "total: {test: 1", "total: {test: 0", 1),
		"no limit of a shard":   strings.Replace(complete, "shard: 3", "shard: 0", 1),
		"an unknown field":      complete + "skip: []\n",
		"a skip without reason": complete + "skips:\n- test: example.com/m.TestX\n",
	}
	for name, content := range tests {
		t.Run(name, func(t *testing.T) {
			if _, err := parseBudget("budget.yaml", []byte(content)); err == nil {
				t.Error("parseBudget returned no error")
			}
		})
	}
}
