package threats_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/testing/threats"
)

const root = "../../.."

var (
	named  = regexp.MustCompile("`(Test\\w+)`")
	golden = regexp.MustCompile("golden:`([\\w-]+)`")
)

// TestEveryAttackHasATest compares the attacks with the source of all tests.
func TestEveryAttackHasATest(t *testing.T) {
	attacks, err := threats.Attacks()
	if err != nil {
		t.Fatal(err)
	}
	for _, problem := range threats.Problems(attacks, allTests(t)) {
		t.Errorf("%s: correct internal/testing/threats/attacks.yaml, and run \"make docs\"", problem)
	}
}

// TestProblems checks that each kind of gap is found.
func TestProblems(t *testing.T) {
	tests := map[string]string{"TestThreat1And2Rejected": "a_test.go", "TestThreat14To16": "b_test.go", "TestOther": "c_test.go"}
	rest := threats.Attack{Attack: "all others", Numbers: "4 to 61", Result: "refused", Tests: []string{"TestThreat14To16"}}
	attacks := []threats.Attack{
		{Attack: "x", Numbers: "1, 2", Result: "refused", Tests: []string{"TestOther"}},
		{Attack: "y", Result: "refused"},
		{Attack: "z", Result: "refused", Tests: []string{"TestGone"}},
		rest,
	}
	want := []string{
		"attack 3 has no row", "no attack of the number of TestThreat1And2Rejected names it", `the attack "y" has no result or no test`,
		`the attack "z" names TestGone, which does not exist`,
	}
	if got := threats.Problems(attacks, tests); !slices.Equal(got, want) {
		t.Errorf("problems:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestEveryTestOfThePagesExists compares the test names on the pages with those in the source.
func TestEveryTestOfThePagesExists(t *testing.T) {
	tests := allTests(t)
	pages, err := filepath.Glob(filepath.Join(root, "docs", "security", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range append(pages, filepath.Join(root, "docs", "threats.md"), filepath.Join(root, "docs", "compatibility.md")) {
		content, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		found := named.FindAllStringSubmatch(string(content), -1)
		if len(found) == 0 {
			t.Errorf("%s names no tests", page)
		}
		for _, name := range found {
			if tests[name[1]] == "" {
				t.Errorf("%s names %s, which does not exist: correct the name", page, name[1])
			}
		}
	}
}

// TestEveryGoldenCaseOfThePageExists compares the golden cases on the page with the files.
func TestEveryGoldenCaseOfThePageExists(t *testing.T) {
	content, err := os.ReadFile(filepath.Join(root, "docs", "compatibility.md"))
	if err != nil {
		t.Fatal(err)
	}
	found := golden.FindAllStringSubmatch(string(content), -1)
	if len(found) == 0 {
		t.Error("the page names no golden cases")
	}
	for _, name := range found {
		if _, err := os.Stat(filepath.Join(root, "internal", "mesh", "envoy", "testdata", name[1]+".out.yaml")); err != nil {
			t.Errorf("the page names the golden case %s: %v", name[1], err)
		}
	}
}

// allTests returns the files of all tests of this module by their names.
func allTests(t *testing.T) map[string]string {
	t.Helper()
	tests, err := threats.FindTests(root)
	if err != nil {
		t.Fatal(err)
	}
	return tests
}
