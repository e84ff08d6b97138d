package words

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const root = "../../.."

// rule is a row of the table: words that nothing uses, except in some phrases.
type rule struct {
	use        string
	exceptions []string
}

func TestWordsAreThoseOfTheTable(t *testing.T) {
	rules := readTable(t)
	err := fs.WalkDir(os.DirFS(root), ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir():
			return skip(name)
		case path.Ext(name) != ".go" && path.Ext(name) != ".md" || name == "CONTRIBUTING.md":
			return nil
		}
		content, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			return err
		}
		number := 0
		for line := range strings.Lines(string(content)) {
			number++
			for _, word := range findings(rules, line) {
				t.Errorf("%s:%d: %q: use %q", name, number, word, rules[word].use)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestWordsAreFoundInNamesAndText(t *testing.T) {
	rules := map[string]rule{"home": {exceptions: []string{"home folder"}}}
	for line, want := range map[string]bool{
		"the Home of a mesh": true, "func homeOf()": true, "meshHome": true, "in the home folder": false, "homepage": false, "HOME=/root": true,
	} {
		if got := len(findings(rules, line)) > 0; got != want {
			t.Errorf("%q: found is %t, want %t", line, got, want)
		}
	}
}

// skip excludes folders whose text others wrote, what is built, and the words of these tests.
func skip(name string) error {
	if base := path.Base(name); base == "testdata" || base == "words" || base == "bin" || name != "." && strings.HasPrefix(base, ".") {
		return fs.SkipDir
	}
	return nil
}

var word = regexp.MustCompile(`[A-Z]?[a-z]+|[A-Z]+`)

// findings returns the words of a line that the rules exclude.
func findings(rules map[string]rule, line string) []string {
	var found []string
	for _, text := range word.FindAllString(line, -1) {
		text = strings.ToLower(text)
		if r, excluded := rules[text]; excluded && strings.Contains(r.without(line), text) {
			found = append(found, text)
		}
	}
	return found
}

// without returns a line in lower case without the phrases that the rule permits.
func (r rule) without(line string) string {
	for _, phrase := range r.exceptions {
		line = strings.ReplaceAll(line, phrase, "")
	}
	return strings.ToLower(line)
}

// readTable reads the table below the heading Words. Its columns are the words to use, those to avoid, and phrases that may have them.
func readTable(t *testing.T) map[string]rule {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(root, "CONTRIBUTING.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(content), "\n## Words\n")
	section, _, _ = strings.Cut(section, "\n## ")
	quoted, rules := regexp.MustCompile("`([^`]+)`"), map[string]rule{}
	for line := range strings.Lines(section) {
		cells := strings.Split(line, "|")
		if len(cells) != 5 {
			continue
		}
		var exceptions []string
		for _, phrase := range quoted.FindAllStringSubmatch(cells[3], -1) {
			exceptions = append(exceptions, phrase[1])
		}
		for _, avoided := range quoted.FindAllStringSubmatch(cells[2], -1) {
			rules[avoided[1]] = rule{strings.TrimSpace(cells[1]), exceptions}
		}
	}
	if len(rules) < 10 {
		t.Fatalf("the table Words of CONTRIBUTING.md has %d words: has its form changed?", len(rules))
	}
	return rules
}
