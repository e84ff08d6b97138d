package threats_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const root = "../../.."

var (
	declared = regexp.MustCompile(`(?m)^func ([Tt]est\w+)\(`)
	named    = regexp.MustCompile("`(Test\\w+)`")
	golden   = regexp.MustCompile("golden:`([\\w-]+)`")
)

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
			if !tests[name[1]] {
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
		if _, err := os.Stat(filepath.Join(root, "internal", "envoy", "testdata", name[1]+".out.yaml")); err != nil {
			t.Errorf("the page names the golden case %s: %v", name[1], err)
		}
	}
}

// allTests returns the names of all tests of this module.
func allTests(t *testing.T) map[string]bool {
	t.Helper()
	tests := map[string]bool{}
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && strings.HasPrefix(entry.Name(), ".") && entry.Name() != ".." {
			return fs.SkipDir
		}
		if !strings.HasSuffix(path, "_test.go") {
			return nil
		}
		source, err := os.ReadFile(path)
		for _, name := range declared.FindAllStringSubmatch(string(source), -1) {
			tests[name[1]] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return tests
}
