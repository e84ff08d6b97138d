package main

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestLastLine(t *testing.T) {
	passed := []outcome{
		{name: prepareName},
		{name: "lint"},
		{name: "unit", tests: true, counts: counts{passed: 410, skipped: 2}},
	}
	failed := append(slices.Clone(passed), outcome{name: "e2e", tests: true, err: errors.New("no"), counts: counts{failed: 3}})
	tests := map[string]struct {
		outcomes []outcome
		want     string
	}{
		"all passed": {passed, "make test: PASS 2 suites, 412 tests, 18m20s"},
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

func TestTableHasARowForEachSuite(t *testing.T) {
	var b strings.Builder
	err := printTable(&b, []outcome{
		{name: "lint", took: 61 * time.Second, limit: 420 * time.Second},
		{name: "unit", tests: true, err: errors.New("no"), counts: counts{passed: 7, failed: 1}, took: 2 * time.Second, limit: 600 * time.Second},
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

func TestChooseKeepsTheOrder(t *testing.T) {
	chosen, err := choose(suites(), []string{"e2e", "lint"})
	if err != nil || len(chosen) != 2 || chosen[0].name != "lint" || chosen[1].name != "e2e" {
		t.Errorf("chosen %v, %v; want lint, then e2e", chosen, err)
	}
	if _, err := choose(suites(), []string{"units"}); err == nil || !strings.Contains(err.Error(), "envtest") {
		t.Errorf("the error is %v, it should list the suites", err)
	}
}

func TestBudgetOfThisCheckout(t *testing.T) {
	b, err := readBudget("../budget.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if b.limit("e2e", true) < b.limit("e2e", false) {
		t.Error("the full run has less time than the usual one")
	}
}

func TestBudgetRefusesWhatIsIncomplete(t *testing.T) {
	complete := "suites:\n"
	for _, name := range append([]string{prepareName}, suiteNames()...) {
		complete += "  " + name + ": {test: 1, full: 2}\n"
	}
	if _, err := parseBudget("budget.yaml", []byte(complete)); err != nil {
		t.Fatalf("a complete budget is refused: %v", err)
	}
	tests := map[string]string{
		"a suite without time":  strings.Replace(complete, "unit: {test: 1", "unit: {test: 0", 1),
		"an unknown field":      complete + "skip: []\n",
		"a skip without reason": complete + "skips:\n- test: example.com/m.TestX\n",
	}
	for name, content := range tests {
		t.Run(name, func(t *testing.T) {
			if _, err := parseBudget("budget.yaml", []byte(content)); err == nil {
				t.Error("it is accepted")
			}
		})
	}
}
