package analyze_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/cli/analyze"
	"github.com/openservicemesh/osm-operator/internal/cli/diagnosis"
)

// Codes have one meaning each, and every constant is in the list.
func TestCodes(t *testing.T) {
	all := analyze.Codes()
	if !slices.IsSortedFunc(all, func(a, b analyze.Code) int { return strings.Compare(a.ID, b.ID) }) {
		t.Error("the codes are not sorted")
	}
	known := map[string]bool{}
	for _, code := range all {
		if known[code.ID] {
			t.Errorf("%s is there twice", code.ID)
		}
		known[code.ID] = true
		if code.Title == "" || !strings.HasSuffix(code.Meaning, ".") || code.Remedy == "" || !isProblem(code.Severity) {
			t.Errorf("%+v is incomplete", code)
		}
	}
	text, err := os.ReadFile("codes.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, match := range regexp.MustCompile(`\tcode\w+ += "(OSM\d{4})"`).FindAllStringSubmatch(string(text), -1) {
		if !known[match[1]] {
			t.Errorf("%s is not in the list", match[1])
		}
	}
}

// isProblem reports whether a severity is one that a user can select.
func isProblem(s diagnosis.Severity) bool {
	parsed, valid := diagnosis.ParseSeverity(string(s))
	return valid && parsed == s
}

// Every problem that reading an object has a name for has a code of its own.
func TestEveryReasonHasACode(t *testing.T) {
	text, err := os.ReadFile("../../mesh/ingest/problem.go")
	if err != nil {
		t.Fatal(err)
	}
	reasons := regexp.MustCompile(`(?m)^\tReason\w+ += "(\w+)"`).FindAllStringSubmatch(string(text), -1)
	if len(reasons) == 0 {
		t.Fatal("no reasons are found: has the form of ingest/problem.go changed?")
	}
	for _, match := range reasons {
		if analyze.CodeOf(match[1]) == "OSM0100" {
			t.Errorf("%s has no code: add it at the end of ownReasons, and a line about it", match[1])
		}
	}
}

// Every code beyond those of single objects is found by a test.
func TestEveryCodeIsTried(t *testing.T) {
	tried := map[string]bool{"OSM0100": true}
	for _, file := range []string{"analyze_test.go", "testdata/mistakes.txtar", "../scripts/testdata/offline/analyze.txtar", "../scripts/testdata/mesh/analyze.txtar", "../scripts/testdata/mesh/uncreated.txtar"} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, code := range regexp.MustCompile(`OSM\d{4}`).FindAllString(string(text), -1) {
			tried[code] = true
		}
	}
	for _, code := range analyze.Codes() {
		if !tried[code.ID] && !strings.HasPrefix(code.ID, "OSM01") {
			t.Errorf("no test finds %s (%s)", code.ID, code.Title)
		}
	}
}

// The page of the documentation is the one that the codes make.
func TestPage(t *testing.T) {
	page, err := os.ReadFile("../../../docs/analysis.md")
	if err != nil {
		t.Fatal(err)
	}
	if string(page) != analyze.Page() {
		t.Error("docs/analysis.md is out of date: make docs")
	}
}
