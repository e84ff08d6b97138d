package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// A skip is allowed if the budget lists it, and in `make test-full` only if the scenario does not belong to that run.
func TestSkipsAreListed(t *testing.T) {
	b := budget{Skips: []skip{{Test: "p.TestLong", RunsInFull: true, Reason: "4 minutes"}, {Test: "p.TestMissing", Reason: "no hardware"}}}
	for test, want := range map[string]struct{ short, full bool }{"p.TestLong": {true, false}, "p.TestMissing": {true, true}, "p.TestOther": {false, false}} {
		if got := b.maySkip(test, false); got != want.short {
			t.Errorf("make test may skip %s: %v, want %v", test, got, want.short)
		}
		if got := b.maySkip(test, true); got != want.full {
			t.Errorf("make test-full may skip %s: %v, want %v", test, got, want.full)
		}
	}
}

// hiddenScenario matches a scenario that `make test` leaves out without a skip.
var hiddenScenario = regexp.MustCompile(`if (lab\.IsF|f)ull\(\)[^{]*\{\s*t\.Run`)

// No scenario is left out without a skip, which the budget lists.
func TestNoScenarioIsHidden(t *testing.T) {
	hidden := "\tif full() {\n\t\tt.Run(\"a\", testA)\n"
	if !hiddenScenario.MatchString(hidden) {
		t.Errorf("%q is not found", hidden)
	}
	files, err := filepath.Glob("../../e2e/*/*_test.go")
	if err != nil || len(files) == 0 {
		t.Fatalf("no tests of e2e are found: %v", err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if found := hiddenScenario.Find(text); found != nil {
			t.Errorf("%s hides a scenario from `make test`: call lab.RequireFull in it, and list it in hack/budget.yaml:\n%s", file, found)
		}
	}
}

// bareMessage matches a failure that prints a value and does not say what it is.
var bareMessage = regexp.MustCompile(`\bt\.(Error|Fatal)f\("%[+#]?v"`)

// Each failure of a test names what it is about.
func TestMessagesNameTheirSubject(t *testing.T) {
	bare := "\t\tt.Errorf(\"%+v\", got)\n"
	if !bareMessage.MatchString(bare) {
		t.Errorf("%q is not found", bare)
	}
	searched := 0
	err := filepath.WalkDir("../..", func(file string, entry os.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(file, "_test.go") || file == filepath.Join("audit_test.go") {
			return err
		}
		searched++
		text, err := os.ReadFile(file)
		if found := bareMessage.Find(text); found != nil {
			t.Errorf("%s has a message without a subject: %s", file, found)
		}
		return err
	})
	if err != nil || searched < 100 {
		t.Errorf("%d files were searched: %v", searched, err)
	}
}
